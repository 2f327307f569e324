import { isoTime } from "../../base/clock.ts";
import type { Json } from "../../base/json.ts";
import { findRun, listEvents } from "../../store/index.ts";
import { waitFor } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { RunQuery } from "./read.ts";
import { isFinished, runView } from "./view.ts";

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
  summary: "What happened in a run, in order, after a position; may wait for more",
  method: "GET",
  path: "/runs/:run_id/events",
  input: RunQuery,
  async run(context, input, signal): Promise<{ events: EventLine[]; finished: boolean }> {
    const key = { tenantId: context.tenantId, runId: input.run_id };
    const row = context.views.read(findRun, key);
    const read = () =>
      context.views.read(listEvents, {
        instanceId: row.id,
        runId: row.run_id,
        after: input.after ?? 0,
        limit: input.limit ?? 1000,
      });
    // Whether it has ended is read before the events: none can come after that are not in the list.
    const finished = () => isFinished(runView(context.views.read(findRun, key)).status);
    let ended = finished();
    let events = read();
    if (events.length === 0 && !ended && (input.wait_ms ?? 0) > 0) {
      await waitFor(context.views, ["event", "instance"], row.id, input.wait_ms!, signal);
      ended = finished();
      events = read();
    }
    return { events: events.map((event) => ({ ...event, ts: isoTime(event.ts) })), finished: ended };
  },
});
