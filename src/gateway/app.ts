import { Elysia } from "elysia";
import { fail } from "../base/errors.ts";
import { pathOf, problemResponse } from "../base/http.ts";
import { OPERATIONS, type ServiceContext } from "../service/index.ts";
import { answer, answerRoute, type Called } from "./call.ts";
import type { Access } from "./caller.ts";
import { checkOrigin } from "./origin.ts";
import type { GatewayParts } from "./parts.ts";
import { ROUTES } from "./routes/index.ts";
import { staticResponse } from "./static.ts";

export interface GatewayOptions {
  /** Names beside the loopback ones under which this server may be called. */
  readonly allowedHosts: ReadonlySet<string>;
  readonly access: Access;
}

/** Every operation of the service as an HTTP route. */
export function createGateway(
  context: ServiceContext,
  { access, allowedHosts }: GatewayOptions,
  parts: GatewayParts,
) {
  const app = new Elysia({ normalize: false });
  // A Unix socket has no host to check: its file's rights decide who may call.
  if (access !== "socket") {
    app.onRequest(({ request }) => {
      try {
        checkOrigin(request, allowedHosts);
        return undefined;
      } catch (error) {
        return problemResponse(error);
      }
    });
  }
  const called: Called = { context, access, parts };
  const answered =
    (name: string, handle: (request: Request, parameters: Record<string, string>) => Promise<Response>) =>
    async ({ request, params }: { request: Request; params?: unknown }) => {
      const begun = performance.now();
      const response = await handle(request, (params ?? {}) as Record<string, string>).catch(problemResponse);
      // An upgraded connection has no response.
      parts.metrics.answered(name, response?.status ?? 101, begun);
      return response;
    };
  const add = (method: string, path: string, handler: ReturnType<typeof answered>) =>
    app.route(method, path, handler, { parse: "none" });
  for (const operation of OPERATIONS) {
    const { name, method, path } = operation;
    add(
      method,
      path,
      answered(name, (request, given) => answer(operation, called, request, given)),
    );
  }
  for (const route of ROUTES) {
    const { name, method, path } = route;
    add(
      method,
      path,
      answered(name, (request, given) => answerRoute(route, called, request, given)),
    );
  }
  app.onError(({ code, error, request }) => {
    if (code !== "NOT_FOUND") return problemResponse(error);
    try {
      const file = staticResponse(context.root, request);
      if (file !== null) return file;
      throw fail("not_found", `not found: ${request.method} ${pathOf(request)}`);
    } catch (refused) {
      return problemResponse(refused);
    }
  });
  return app;
}
