import type { EndReason, Feeds, Follower, RunFeed } from "./feed.ts";

const UTF8 = new TextEncoder();
const HEARTBEAT = UTF8.encode(": still here\n\n");
const RETRY = UTF8.encode("retry: 1000\n\n");

/**
 * Events of a run as Server-Sent Events, after a position: first what stands in the store, then what comes, each once and
 * in order. Its last message is `end` with the reason. The stream is pulled: nothing is made for a reader that does not
 * read.
 */
export function eventStream(feeds: Feeds, feed: RunFeed, after: number): Response {
  let position = after;
  let begun = false;
  let wake: (() => void) | null = null;
  let ended: EndReason | null = null;
  let sentAt = performance.now();
  let left = false;

  let stream: ReadableStreamDefaultController<Uint8Array> | null = null;
  const finish = (reason: EndReason) => {
    stream?.enqueue(UTF8.encode(`event: end\ndata: ${JSON.stringify({ reason, after: position })}\n\n`));
    stream?.close();
  };
  const leave = () => {
    if (left) return;
    left = true;
    feeds.leave(feed, follower);
    wake?.();
  };
  const follower: Follower = {
    more: () => wake?.(),
    tick(now) {
      if (wake === null) {
        if (now - sentAt < feeds.times.stalledMs) return;
        leave();
        // What it has not taken stays in its connection alone, which ends by its idle timeout.
        finish("slow");
      } else if (now - sentAt >= feeds.times.heartbeatMs) wake();
    },
    end(reason) {
      ended = reason;
      wake?.();
    },
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        stream = controller;
        feeds.follow(feed, follower);
      },
      async pull(controller) {
        const send = (bytes: Uint8Array) => {
          sentAt = performance.now();
          controller.enqueue(bytes);
        };
        if (!begun) {
          begun = true;
          return send(RETRY);
        }
        if (position >= feed.last && !feed.finished && ended === null) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = null;
        }
        if (left) return;
        if (position < feed.last && ended === null) {
          const { bytes, last } = feed.encodedAfter(position);
          position = last;
          return send(bytes);
        }
        const reason = ended ?? (feed.finished ? "finished" : null);
        if (reason === null) return send(HEARTBEAT);
        leave();
        finish(reason);
      },
      cancel: leave,
    },
    { highWaterMark: 1 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}
