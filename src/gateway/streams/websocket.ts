import type { ServerWebSocket, WebSocketHandler } from "bun";
import { coalesce } from "../../base/coalesce.ts";
import type { EventLine } from "../../service/index.ts";
import { encodeFrame } from "../../stream/index.ts";
import type { Extras } from "./extras.ts";
import type { EndReason, Feeds, Follower, RunFeed } from "./feed.ts";

/** What an upgraded connection carries. */
export interface SocketData {
  readonly feeds: Feeds;
  readonly feed: RunFeed;
  readonly format: "json" | "flatbuffers";
  /** With frames: those of the trace and of pictures. */
  readonly extras: Extras | null;
  position: number;
  follower: SocketFollower | null;
}

/** Bytes that wait in a connection before its follower waits too. */
const HIGH_WATER = 256 * 1024;

const CLOSE: Readonly<Record<EndReason, readonly [number, string]>> = {
  finished: [1000, "finished"],
  stopping: [1001, "stopping"],
  slow: [1013, "slow"],
};

class SocketFollower implements Follower {
  #sentAt = performance.now();
  #left = false;
  readonly #pour: () => void;

  constructor(readonly socket: ServerWebSocket<SocketData>) {
    this.#pour = coalesce(() => this.#sendExtras());
  }

  /** Send until the connection has enough; it goes on when that has drained. */
  more(): void {
    const { data } = this.socket;
    while (!this.#left && data.position < data.feed.last) {
      if (this.socket.getBufferedAmount() > HIGH_WATER) return;
      for (const line of data.feed.after(data.position)) {
        this.socket.send(data.format === "json" ? JSON.stringify(line) : frameOf(line));
        data.position = line.seq;
        this.#sentAt = performance.now();
        if (this.socket.getBufferedAmount() > HIGH_WATER) return;
      }
    }
    if (data.extras !== null) this.#pour();
    else if (!this.#left && data.feed.finished) this.end("finished");
  }

  /** All that there is beside the events; the end comes after it. */
  async #sendExtras(): Promise<void> {
    const { data } = this.socket;
    const finished = data.feed.finished && data.position >= data.feed.last;
    try {
      while (!this.#left && this.socket.getBufferedAmount() <= HIGH_WATER) {
        const frames = await data.extras!.next();
        if (frames.length === 0) {
          if (finished && !this.#left) this.end("finished");
          return;
        }
        for (const frame of frames) this.socket.send(frame);
        this.#sentAt = performance.now();
      }
    } catch {
      // The run was taken away meanwhile.
      if (!this.#left) this.end("finished");
    }
  }

  tick(now: number): void {
    const { data } = this.socket;
    if (data.position < data.feed.last || this.socket.getBufferedAmount() > 0) {
      if (now - this.#sentAt < data.feeds.times.stalledMs) return;
      this.leave();
      this.socket.terminate();
    } else if (now - this.#sentAt >= data.feeds.times.heartbeatMs) {
      this.#sentAt = now;
      this.socket.ping();
    }
  }

  end(reason: EndReason): void {
    this.leave();
    this.socket.close(...CLOSE[reason]);
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.socket.data.feeds.leave(this.socket.data.feed, this);
  }
}

function frameOf(line: EventLine): Uint8Array {
  return encodeFrame({
    kind: "RunEvent",
    runId: line.run_id,
    status: line.event,
    sequence: line.seq,
    timestampMs: Date.parse(line.ts),
    payload: JSON.stringify(line),
  });
}

/** Streams over WebSockets: each message is one event. A client only reads; what it sends ends the connection. */
export const webSockets: WebSocketHandler<SocketData> = {
  // A client has nothing to say.
  maxPayloadLength: 1024,
  idleTimeout: 60,
  sendPings: true,
  open(socket) {
    const follower = new SocketFollower(socket);
    socket.data.follower = follower;
    socket.data.feeds.follow(socket.data.feed, follower);
    follower.more();
  },
  drain: (socket) => socket.data.follower?.more(),
  message(socket, message) {
    socket.data.follower?.leave();
    if (typeof message === "string") socket.close(1008, "this stream is only read");
    else socket.close(1003, "this stream takes no binary messages");
  },
  close: (socket) => socket.data.follower?.leave(),
};
