import { pause } from "../../base/pause.ts";
import type { Client } from "../../host/index.ts";

/** Time enough for a runner to register; and then seldom enough to cost nothing. */
const FIRST_MS = 2000;
const EVERY_MS = 5000;

/**
 * Say of tasks of a run that no connected runner may have, each time the reason is another one: without it a run that asks
 * for what nobody offers looks like one that thinks.
 */
export async function tellStuck(
  client: Client,
  runId: string,
  stop: AbortSignal,
  say: (step: string, reason: string) => void,
): Promise<void> {
  const told = new Map<string, string>();
  for (let wait = FIRST_MS; ; wait = EVERY_MS) {
    await pause(wait, stop);
    if (stop.aborted) return;
    // A run without a task in the queue, or a caller that may not look at it, has nothing to be told.
    const answer = await client.call("explainTask", { task: runId }, stop).catch(() => null);
    if (stop.aborted) return;
    for (const { reference, step_id, state, sessions, reason, diagnostic } of answer?.tasks ?? []) {
      const someday = sessions.some(({ code }) => code === null || code === "execution_capacity_deferred");
      const text = sessions.length === 0 ? (diagnostic ?? reason) : reason;
      if (state !== "pending" || someday || told.get(reference) === text) continue;
      told.set(reference, text);
      say(step_id, text);
    }
  }
}
