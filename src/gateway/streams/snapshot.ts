import type { Call, EventLine, RunStep } from "../../service/index.ts";
import { encodeFrame } from "../../stream/index.ts";

const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");

const count = (steps: readonly RunStep[], status: RunStep["status"]) =>
  steps.filter((step) => step.status === status).length;

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
  const run = await call("getRun", { run_id: runId });
  const { steps } = await call("getSteps", { run_id: runId });
  const status = {
    run_id: run.run_id,
    workflow_asset_id: run.workflow_asset_id,
    status: run.status,
    total_steps: steps.length,
    planned_steps: 0,
    submitted_steps: count(steps, "running") + count(steps, "waiting_for_operator"),
    cancelled_steps: count(steps, "cancelled"),
    succeeded_steps: count(steps, "succeeded"),
    failed_steps: count(steps, "failed"),
  };
  const trace = steps.flatMap(({ step_id, attempts }) =>
    attempts.map((attempt) => ({ event: `attempt.${attempt.state}`, step_id, path: attempt.lease_id })),
  );
  return encodeFrame({
    kind: "RunSnapshot",
    runId: run.run_id,
    status: run.status,
    sequence: events.at(-1)?.seq ?? 0,
    timestampMs: now,
    payload: JSON.stringify({ events_jsonl: lines(events), status, trace_jsonl: lines(trace) }),
  });
}
