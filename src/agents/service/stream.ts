import type { Json, JsonObject } from "../../base/json.ts";
import type { AgentTask } from "./tasks.ts";

/** Below the time after which servers and proxies take a silent connection for a dead one. */
const SILENCE_MS = 20_000;

/** The task as it stands, then whatever becomes of it. A caller that goes away changes nothing. */
export function streamOf(task: AgentTask, id: Json): Response {
  let stop = () => {};
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (result: JsonObject) =>
        controller.enqueue(encoder.encode(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`));
      send(task.view());
      if (task.ended) {
        controller.close();
        return;
      }
      const alive = setInterval(() => controller.enqueue(encoder.encode(":\n\n")), SILENCE_MS);
      alive.unref();
      const unwatch = task.watch((event) => {
        send(event);
        if (event["final"] !== true) return;
        stop();
        controller.close();
      });
      stop = () => {
        clearInterval(alive);
        unwatch();
      };
    },
    cancel: () => stop(),
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}

/** Settles when the task has ended, or after so many milliseconds. */
export function untilEnded(task: AgentTask, most: number): Promise<void> {
  if (task.ended) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(), most);
    const unwatch = task.watch((event) => event["final"] === true && done());
    const done = () => {
      clearTimeout(timer);
      unwatch();
      resolve();
    };
  });
}
