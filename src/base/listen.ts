import { existsSync } from "node:fs";
import { fail } from "./errors.ts";

export interface Listening {
  readonly url: string;
  stop(): Promise<void>;
}

/** PEM files of a certificate with its chain, and of its key. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Longer than any wait that a request may ask for. */
export const IDLE_SECONDS = 120;

/** Serve HTTP on a TCP port that nobody else has. @throws Failure `io` when it is taken; `flag` says how to choose another */
export function listenTcp(options: {
  host: string;
  port: number;
  flag: string;
  maximumBodyBytes: number;
  tls?: TlsFiles | undefined;
  handle: (request: Request) => Response | Promise<Response>;
}): Listening {
  const { host, port, tls } = options;
  for (const path of tls === undefined ? [] : [tls.certificate, tls.key]) {
    if (!existsSync(path)) throw fail("io", `there is no file ${path}`, { hint: "name PEM files" });
  }
  let server: ReturnType<typeof Bun.serve>;
  try {
    server = Bun.serve({
      hostname: host,
      port,
      reusePort: false,
      ...(tls === undefined ? {} : { tls: { cert: Bun.file(tls.certificate), key: Bun.file(tls.key) } }),
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: options.maximumBodyBytes,
      fetch: options.handle,
    });
  } catch (error) {
    throw fail("io", `cannot listen on ${host}:${port}: ${(error as Error).message}`, {
      hint: `another process has the port; choose one with ${options.flag}`,
      cause: error,
    });
  }
  return {
    url: `http${tls === undefined ? "" : "s"}://${host.includes(":") ? `[${host}]` : host}:${server.port}`,
    stop: async () => {
      await server.stop(true);
    },
  };
}
