import { Elysia } from "elysia";
import { fail } from "../base/errors.ts";
import { pathOf, problemResponse } from "../base/http.ts";
import { OPERATIONS, type ServiceContext } from "../service/index.ts";
import { answer, answerRoute, type Called } from "./call.ts";
import type { Access } from "./caller.ts";
import { checkOrigin } from "./origin.ts";
import type { GatewayParts } from "./parts.ts";
import { ROUTES } from "./routes/index.ts";

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
  for (const operation of OPERATIONS) {
    app.route(
      operation.method,
      operation.path,
      ({ request, params }) =>
        answer(operation, called, request, (params ?? {}) as Record<string, string>).catch(problemResponse),
      { parse: "none" },
    );
  }
  for (const route of ROUTES) {
    app.route(
      route.method,
      route.path,
      ({ request, params }) =>
        answerRoute(route, called, request, (params ?? {}) as Record<string, string>).catch(problemResponse),
      { parse: "none" },
    );
  }
  app.onError(({ code, error, request }) =>
    problemResponse(
      code === "NOT_FOUND" ? fail("not_found", `not found: ${request.method} ${pathOf(request)}`) : error,
    ),
  );
  return app;
}
