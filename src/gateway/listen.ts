import { chmodSync, existsSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { fail } from "../base/errors.ts";
import { makePrivateDirectory } from "../base/files.ts";
import { LIMITS } from "../base/limits.ts";
import { IDLE_SECONDS, type Listening, listenTcp } from "../base/listen.ts";
import type { ServiceContext } from "../service/index.ts";
import { createGateway } from "./app.ts";

/** The gateway on TCP. @throws Failure `io` when the port is taken */
export function listenGateway(context: ServiceContext, host: string, port: number): Listening {
  const gateway = createGateway(context, { allowedHosts: new Set([host]), checksOrigin: true });
  return listenTcp({
    host,
    port,
    flag: "--port",
    maximumBodyBytes: LIMITS.gatewayBodyBytes * 2,
    handle: (request) => gateway.handle(request),
  });
}

/**
 * The gateway on a Unix socket that only this user may open. A socket file that a dead process left is replaced; the
 * caller holds the host lock, so a living one has no second owner.
 */
export function listenSocket(context: ServiceContext, path: string): Listening {
  makePrivateDirectory(dirname(path));
  if (existsSync(path)) unlinkSync(path);
  const gateway = createGateway(
    { ...context, trustsPaths: true },
    { allowedHosts: new Set(), checksOrigin: false },
  );
  let server: ReturnType<typeof Bun.serve>;
  try {
    server = Bun.serve({
      unix: path,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: LIMITS.gatewayBodyBytes * 2,
      fetch: (request: Request) => gateway.handle(request),
    } as never);
    chmodSync(path, 0o600);
  } catch (error) {
    throw fail("io", `cannot listen on ${path}: ${(error as Error).message}`, {
      hint: "set XDG_RUNTIME_DIR to a short path that you own",
      cause: error,
    });
  }
  return {
    url: `unix:${path}`,
    stop: async () => {
      await server.stop(true);
      if (existsSync(path)) unlinkSync(path);
    },
  };
}
