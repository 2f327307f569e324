import { isoTime } from "../../base/clock.ts";
import type { Json } from "../../base/json.ts";
import { listEvents } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { readOrWait } from "./follow.ts";
import { RunQuery } from "./read.ts";

/** One line of `events.jsonl`. */
export interface EventLine {
  seq: number;
  ts: string;
  event: string;
  run_id: string;
  step_id: string | null;
  reference: string | null;
  detail: Json;
}

export const getEvents = defineOperation({
  name: "run.events",
  scope: "read",
  summary: "What happened in a run, in order, after a position; may wait for more",
  method: "GET",
  path: "/runs/:run_id/events",
  input: RunQuery,
  async run(context, input, signal): Promise<{ events: EventLine[]; finished: boolean }> {
    const { rows, finished } = await readOrWait(
      context,
      input.run_id,
      { topic: "event", waitMs: input.wait_ms, signal },
      (run) =>
        context.views.read(listEvents, {
          instanceId: run.id,
          runId: run.run_id,
          after: input.after ?? 0,
          limit: input.limit ?? 1000,
        }),
    );
    return { events: rows.map((event) => ({ ...event, ts: isoTime(event.ts) })), finished };
  },
});
