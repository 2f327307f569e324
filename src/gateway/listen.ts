import { chmodSync, existsSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { fail } from "../base/errors.ts";
import { makePrivateDirectory } from "../base/files.ts";
import { cannotListen, type Listening } from "../base/listen.ts";
import type { ServiceContext } from "../service/index.ts";
import { hasAccessToken } from "../store/index.ts";
import { hostNames, isLoopback } from "./origin.ts";
import { type Serving, serveGateway } from "./serve.ts";

/** PEM files of a certificate with its chain, and of its key. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

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
  const { tls } = options;
  for (const path of tls === undefined ? [] : [tls.certificate, tls.key]) {
    if (!existsSync(path)) throw fail("io", `there is no file ${path}`, { hint: "name PEM files" });
  }
  let serving: Serving;
  try {
    serving = serveGateway(
      context,
      { allowedHosts: hostNames(host, names), access: needsToken ? "token" : "loopback" },
      {
        hostname: host,
        port,
        reusePort: false,
        ...(tls === undefined ? {} : { tls: { cert: Bun.file(tls.certificate), key: Bun.file(tls.key) } }),
      },
    );
  } catch (error) {
    throw cannotListen(error, { host, port, flag: "--port", tls });
  }
  const name = host.includes(":") ? `[${host}]` : host;
  return { url: `http${tls === undefined ? "" : "s"}://${name}:${serving.port}`, stop: () => serving.stop() };
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
  let serving: Serving;
  try {
    serving = serveGateway(
      { ...context, trustsPaths: true },
      { allowedHosts: new Set(), access: "socket" },
      { unix: path },
    );
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
      await serving.stop();
      if (existsSync(path)) unlinkSync(path);
    },
  };
}
