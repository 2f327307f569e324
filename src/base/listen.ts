import { type Failure, fail } from "./errors.ts";
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

/** Why a server could not begin, and what to change. */
export function cannotListen(
  error: unknown,
  { host, port, flag, tls }: { host: string; port: number; flag: string; tls?: ServerTls | undefined },
): Failure {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (tls !== undefined && code.startsWith("ERR_OSSL")) {
    return fail("io", `${tls.certificate} and ${tls.key} are no certificate with its key: ${message}`, {
      hint: "name PEM files: the certificate with --tls-cert, its key with --tls-key",
      cause: error,
    });
  }
  const isTaken = code === "EADDRINUSE";
  return fail("io", `cannot listen on ${host}:${port}: ${isTaken ? "the port is in use" : message}`, {
    hint:
      code === "EADDRNOTAVAIL"
        ? "name an address of this host with --host"
        : code === "EACCES"
          ? `ports below 1024 are root's; choose one with ${flag}`
          : // Bun says the same of a name that is not known.
            `another process has the port, or ${host} is not this host; choose one with ${flag}`,
    cause: error,
  });
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
    throw cannotListen(error, options);
  }
  return {
    url: `http${options.tls === undefined ? "" : "s"}://${host.includes(":") ? `[${host}]` : host}:${server.port}`,
    stop: async () => {
      await server.stop(true);
    },
  };
}
