import { fail } from "./errors.ts";
import { readTextFile } from "./read-file.ts";

export interface Listening {
  readonly url: string;
  stop(): Promise<void>;
}

/** Longer than any wait that a request may ask for. */
export const IDLE_SECONDS = 120;

/** PEM files. With `clientCa` only clients that show a certificate of that authority are answered. */
export interface ServerTls {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa?: string;
}

function tlsOptions({ certificate, key, clientCa }: ServerTls) {
  return {
    cert: readTextFile(certificate),
    key: readTextFile(key),
    ...(clientCa === undefined
      ? {}
      : { ca: readTextFile(clientCa), requestCert: true, rejectUnauthorized: true }),
  };
}

/** Serve HTTP on a TCP port that nobody else has. @throws Failure `io` when it is taken; `flag` says how to choose another */
export function listenTcp(options: {
  host: string;
  port: number;
  flag: string;
  maximumBodyBytes: number;
  tls?: ServerTls | undefined;
  handle: (request: Request) => Response | Promise<Response>;
}): Listening {
  const { host, port } = options;
  const tls = options.tls === undefined ? {} : { tls: tlsOptions(options.tls) };
  let server: ReturnType<typeof Bun.serve>;
  try {
    server = Bun.serve({
      hostname: host,
      port,
      reusePort: false,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: options.maximumBodyBytes,
      fetch: options.handle,
      ...tls,
    });
  } catch (error) {
    throw fail("io", `cannot listen on ${host}:${port}: ${(error as Error).message}`, {
      hint: `another process has the port; choose one with ${options.flag}`,
      cause: error,
    });
  }
  return {
    url: `http${options.tls === undefined ? "" : "s"}://${host.includes(":") ? `[${host}]` : host}:${server.port}`,
    stop: async () => {
      await server.stop(true);
    },
  };
}
