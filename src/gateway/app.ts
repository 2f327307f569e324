import { Elysia } from "elysia";
import { fail } from "../base/errors.ts";
import { pathOf, problemResponse } from "../base/http.ts";
import { OPERATIONS, type ServiceContext } from "../service/index.ts";
import { Answers } from "./answers.ts";
import { answer, answerRoute, type Called } from "./call.ts";
import { type Access, callerOf, checkScope } from "./caller.ts";
import { checkOrigin } from "./origin.ts";
import type { GatewayParts } from "./parts.ts";
import { ROUTES } from "./routes/index.ts";
import { staticResponse } from "./static.ts";

export interface GatewayOptions {
  /** Names beside the loopback ones under which this server may be called. */
  readonly allowedHosts: ReadonlySet<string>;
  readonly access: Access;
}

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** Every operation of the service as an HTTP route. */
export function createGateway(
  context: ServiceContext,
  { access, allowedHosts }: GatewayOptions,
  parts: GatewayParts,
) {
  const app = new Elysia({ normalize: false });
  const called: Called = { context, access, parts };
  const answers = new Answers(context.views);

  for (const operation of OPERATIONS) {
    const { name, method, path } = operation;
    const record = parts.metrics.of(name);
    const ask = (request: Request, given: Record<string, string>) =>
      recorded(record, answer(operation, called, request, given));
    if (operation.stored !== true) {
      app.route(method, path, ({ request, params }: Routed) => ask(request, params ?? {}), { parse: "none" });
      continue;
    }
    app.route(
      method,
      path,
      ({ request, params }: Routed) => {
        const begun = performance.now();
        let key: string;
        try {
          const principal = callerOf(context, access, request);
          checkScope(principal, operation);
          key = `${principal.tenantId} ${request.url}`;
        } catch (error) {
          return recorded(record, Promise.reject(error));
        }
        const kept = answers.get(key);
        if (kept !== undefined) {
          record(200, begun);
          return new Response(kept, JSON_ANSWER);
        }
        const commits = context.views.commits();
        return ask(request, params ?? {}).then(async (response) => {
          if (response.status !== 200) return response;
          const text = await response.text();
          answers.keep(key, text, commits);
          return new Response(text, JSON_ANSWER);
        });
      },
      { parse: "none" },
    );
  }
  for (const route of ROUTES) {
    const record = parts.metrics.of(route.name);
    app.route(
      route.method,
      route.path,
      ({ request, params }: Routed) => recorded(record, answerRoute(route, called, request, params ?? {})),
      { parse: "none" },
    );
  }
  app.onError(({ code, error, request }) => {
    if (code !== "NOT_FOUND") return problemResponse(error);
    try {
      const file = staticResponse(context.root, request);
      if (file !== null) return file;
      const path = pathOf(request);
      const allowed = METHODS.filter((method) => app.router.http.find(method, path) !== null);
      if (allowed.length === 0) throw fail("not_found", `not found: ${request.method} ${path}`);
      const refusal = problemResponse(
        fail("method_not_allowed", `${request.method} is no method of ${path}`, {
          hint: `use ${allowed.join(" or ")}`,
        }),
      );
      refusal.headers.set("allow", allowed.join(", "));
      return refusal;
    } catch (refused) {
      return problemResponse(refused);
    }
  });
  return {
    handle(request: Request): Response | Promise<Response> {
      // A Unix socket has no host to check: its file's rights decide who may call.
      if (access !== "socket") {
        try {
          checkOrigin(request, allowedHosts);
        } catch (error) {
          return problemResponse(error);
        }
      }
      return app.handle(request);
    },
  };
}

interface Routed {
  readonly request: Request;
  readonly params?: Record<string, string>;
}

const JSON_ANSWER = { headers: { "content-type": "application/json" } } as const;

/** Whatever comes of a request as an answer, counted. */
async function recorded(
  record: (status: number, begun: number) => void,
  answering: Promise<Response>,
): Promise<Response> {
  const begun = performance.now();
  const response = await answering.catch(problemResponse);
  // An upgraded connection has no response.
  record(response?.status ?? 101, begun);
  return response;
}
