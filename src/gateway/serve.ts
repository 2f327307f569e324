import type { Server } from "bun";
import { problemResponse } from "../base/http.ts";
import { LIMITS } from "../base/limits.ts";
import { IDLE_SECONDS } from "../base/listen.ts";
import type { ServiceContext } from "../service/index.ts";
import { createGateway, type GatewayOptions } from "./app.ts";
import { Metrics } from "./metrics.ts";
import { Feeds } from "./streams/feed.ts";
import { type SocketData, webSockets } from "./streams/websocket.ts";

/** How long requests that are being answered may take once the server stops. */
const GRACE_MS = 5_000;

export interface Serving {
  readonly port: number | undefined;
  /** Streams end with their reason, what is being answered is answered, then the connections close. */
  stop(): Promise<void>;
}

/** The gateway behind one listener. `where` is what `Bun.serve` needs of it. @throws what `Bun.serve` throws */
export function serveGateway(
  context: ServiceContext,
  options: GatewayOptions,
  where: Record<string, unknown>,
): Serving {
  const stopping = new AbortController();
  const feeds = new Feeds(context.views);
  let server: Server<SocketData>;
  const gateway = createGateway(context, options, {
    feeds,
    metrics: new Metrics(),
    stopping: stopping.signal,
    upgrade: (request, data) => server.upgrade(request, { data }),
  });
  server = Bun.serve<SocketData>({
    ...where,
    idleTimeout: IDLE_SECONDS,
    // Each route has its own limit; this one only bounds what no route looks at.
    maxRequestBodySize: LIMITS.artifactBytes,
    fetch: (request: Request) => gateway.handle(request),
    error: (error: unknown) => problemResponse(error),
    websocket: webSockets,
  } as never);
  return {
    port: server.port,
    async stop() {
      feeds.stop();
      stopping.abort();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const grace = new Promise((resolve) => {
        timer = setTimeout(resolve, GRACE_MS);
      });
      await Promise.race([server.stop(), grace]);
      clearTimeout(timer);
      await server.stop(true);
    },
  };
}
