import { fail } from "./errors.ts";

export interface Listening {
  readonly url: string;
  stop(): Promise<void>;
}

/** Longer than any wait that a request may ask for. */
export const IDLE_SECONDS = 120;

/** Serve HTTP on a TCP port that nobody else has. @throws Failure `io` when it is taken; `flag` says how to choose another */
export function listenTcp(options: {
  host: string;
  port: number;
  flag: string;
  maximumBodyBytes: number;
  handle: (request: Request) => Response | Promise<Response>;
}): Listening {
  const { host, port } = options;
  let server: ReturnType<typeof Bun.serve>;
  try {
    server = Bun.serve({
      hostname: host,
      port,
      reusePort: false,
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
    url: `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`,
    stop: async () => {
      await server.stop(true);
    },
  };
}
