import { Elysia } from "elysia";
import { fail } from "../base/errors.ts";
import { problemResponse } from "../base/http.ts";
import { OPERATIONS, type ServiceContext } from "../service/index.ts";
import { answer } from "./call.ts";
import { checkOrigin } from "./origin.ts";

export interface GatewayOptions {
  /** Names beside the loopback ones under which this server may be called. */
  readonly allowedHosts: ReadonlySet<string>;
  /** A Unix socket has no host to check: its file's rights decide who may call. */
  readonly checksOrigin: boolean;
}

/** Every operation of the service as an HTTP route. */
export function createGateway(context: ServiceContext, options: GatewayOptions) {
  const app = new Elysia({ normalize: false });
  if (options.checksOrigin) {
    app.onRequest(({ request }) => {
      try {
        checkOrigin(request, options.allowedHosts);
        return undefined;
      } catch (error) {
        return problemResponse(error);
      }
    });
  }
  for (const operation of OPERATIONS) {
    app.route(
      operation.method,
      operation.path,
      ({ request, params }) => answer(operation, context, request, (params ?? {}) as Record<string, string>),
      { parse: "none" },
    );
  }
  app.onError(({ code, error, request }) => {
    if (code === "NOT_FOUND") {
      return problemResponse(
        fail("not_found", `not found: ${request.method} ${new URL(request.url).pathname}`),
      );
    }
    return problemResponse(error);
  });
  return app;
}
