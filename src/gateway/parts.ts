import type { Metrics } from "./metrics.ts";
import type { Feeds } from "./streams/feed.ts";
import type { SocketData } from "./streams/websocket.ts";

/** What the routes of one listener share. */
export interface GatewayParts {
  readonly feeds: Feeds;
  readonly metrics: Metrics;
  /** Aborted when the server stops: whatever waits answers with what it has. */
  readonly stopping: AbortSignal;
  /** @returns false where the request is no valid upgrade */
  upgrade(request: Request, data: SocketData): boolean;
}
