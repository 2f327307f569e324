import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import type { Json } from "../../base/json.ts";
import { listEvents, type RunEvent as StoredEvent } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { AnyJson, closed, Integer, named, nullable, Text, Time } from "../shapes.ts";
import { readOrWait } from "./follow.ts";
import { RunQuery } from "./read.ts";

const RunEvent = named(
  "RunEvent",
  closed({
    seq: Integer,
    ts: Time,
    event: Text,
    run_id: Text,
    step_id: nullable(Text),
    reference: nullable(Text),
    detail: AnyJson,
  }),
);

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

export function eventLine({ ts, ...event }: StoredEvent): EventLine {
  const { seq, ...rest } = event;
  return { seq, ts: isoTime(ts), ...rest };
}

export const getEvents = defineOperation({
  name: "run.events",
  scope: "read",
  summary: "What happened in a run, in order, after a position; may wait for more",
  method: "GET",
  path: "/runs/:run_id/events",
  lines: "events",
  input: RunQuery,
  output: closed({ events: Type.Array(RunEvent), finished: Type.Boolean() }),
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
    return { events: rows.map(eventLine), finished };
  },
});
