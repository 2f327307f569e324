import { chmodSync, existsSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { fail } from "../base/errors.ts";
import { makePrivateDirectory } from "../base/files.ts";
import { LIMITS } from "../base/limits.ts";
import { IDLE_SECONDS, type Listening, listenTcp, type TlsFiles } from "../base/listen.ts";
import type { ServiceContext } from "../service/index.ts";
import { hasAccessToken } from "../store/index.ts";
import { createGateway } from "./app.ts";
import { hostNames, isLoopback } from "./origin.ts";

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Further names under which clients call this server, behind a proxy say. */
  readonly names?: readonly string[];
  /** Ask for a token on the loopback address too. */
  readonly requireToken?: boolean;
  readonly tls?: TlsFiles | undefined;
}

/**
 * The gateway on TCP.
 * @throws Failure `io` when the port is taken, `forbidden` for an address that others reach while there is no token
 */
export function listenGateway(context: ServiceContext, options: ListenOptions): Listening {
  const { host, port, names = [], requireToken = false } = options;
  const needsToken = requireToken || !isLoopback(host);
  if (needsToken && !context.views.read(hasAccessToken, { now: context.clock.wall() })) {
    throw fail("forbidden", `whoever reaches ${host} would need a token, and there is none`, {
      hint: "create one first: lightflow token create NAME --scope read --scope run",
    });
  }
  const gateway = createGateway(context, {
    allowedHosts: hostNames(host, names),
    access: needsToken ? "token" : "loopback",
  });
  return listenTcp({
    host,
    port,
    flag: "--port",
    maximumBodyBytes: LIMITS.gatewayBodyBytes * 2,
    tls: options.tls,
    handle: (request) => gateway.handle(request),
  });
}

/**
 * The gateway on a Unix socket that only this user may open. A socket file that a dead process left is replaced; the
 * caller holds the host lock, so a living one has no second owner.
 */
export function listenSocket(context: ServiceContext, path: string): Listening {
  const directory = dirname(path);
  makePrivateDirectory(directory);
  // A directory that was there already may be open to others.
  chmodSync(directory, 0o700);
  if (existsSync(path)) unlinkSync(path);
  const gateway = createGateway(
    { ...context, trustsPaths: true },
    { allowedHosts: new Set(), access: "socket" },
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
