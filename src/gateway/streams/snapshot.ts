import type { Call, EventLine } from "../../service/index.ts";
import { encodeFrame } from "../../stream/index.ts";

const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");

/**
 * A run as it stands, as one frame: its status and both its logs. The members of the payload are those of the first
 * interface, in its order.
 */
export async function snapshotFrame(call: Call, runId: string, now: number): Promise<Uint8Array> {
  const events: EventLine[] = [];
  for (;;) {
    const page = await call("getEvents", { run_id: runId, after: events.at(-1)?.seq ?? 0, limit: 1000 });
    events.push(...page.events);
    if (page.events.length === 0) break;
  }
  const trace: unknown[] = [];
  for (let after = 0; ; ) {
    const page = await call("runTrace", { run_id: runId, after, limit: 1000 });
    trace.push(...page.lines);
    if (page.lines.length === 0) break;
    after = page.lines.at(-1)!.seq;
  }
  const status = await call("runStatus", { run_id: runId });
  return encodeFrame({
    kind: "RunSnapshot",
    runId: status.run_id,
    status: status.status,
    sequence: events.at(-1)?.seq ?? 0,
    timestampMs: now,
    payload: JSON.stringify({ events_jsonl: lines(events), status, trace_jsonl: lines(trace) }),
  });
}
