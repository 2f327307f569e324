import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import type { InstanceRow } from "../instances/engine-port.ts";
import type { Query, Transaction } from "../operation.ts";

export type PlanStepStatus = "planned" | "submitting" | "submitted" | "cancelled" | "succeeded" | "failed";

/** A step of a run that is taken step by step. `record` is the seed's RunStepRecord without its status. */
export interface PlanStep {
  readonly position: number;
  readonly step_id: string;
  readonly request_id: string;
  readonly status: PlanStepStatus;
  readonly record: JsonObject;
  /** The process that is committing its request. */
  readonly owner: string | null;
  /** What CortexFS answered, when that is JSON. */
  readonly output: Json;
}

export interface Plan {
  readonly instance: InstanceRow;
  readonly request: JsonObject;
  readonly definition: JsonObject;
  readonly cancelled: boolean;
  readonly steps: readonly PlanStep[];
}

type Reader = Pick<Transaction, "all" | "get">;

/** The plan of an instance, or null for one that the engine advances. */
export const planOf: Query<InstanceRow, Plan | null> = (tx, instance) => {
  const row = tx.get<{ request: string; definition: string; cancelled: number }>(
    "SELECT request, definition, cancelled FROM plan WHERE instance_id = ?",
    instance.id,
  );
  if (row === undefined) return null;
  return {
    instance,
    request: JSON.parse(row.request) as JsonObject,
    definition: JSON.parse(row.definition) as JsonObject,
    cancelled: row.cancelled === 1,
    steps: stepsOf(tx, instance.id),
  };
};

function stepsOf(tx: Reader, instanceId: string): PlanStep[] {
  return tx
    .all<Omit<PlanStep, "record" | "output"> & { record: string; output: string | null }>(
      "SELECT position, step_id, request_id, status, record, owner, output FROM plan_step WHERE instance_id = ? ORDER BY position",
      instanceId,
    )
    .map((row) => ({
      ...row,
      record: JSON.parse(row.record) as JsonObject,
      output: row.output === null ? null : (JSON.parse(row.output) as Json),
    }));
}

/** The plan of a run. @throws Failure `not_found`, or `conflict` for a run that the engine advances */
export function planOfRun(tx: Reader, tenantId: string, runId: string): Plan {
  const instance = tx.get<InstanceRow>(
    "SELECT * FROM instance WHERE tenant_id = ? AND run_id = ?",
    tenantId,
    runId,
  );
  if (instance === undefined) throw fail("not_found", `not found: run ${runId}`);
  const plan = planOf(tx, instance);
  if (plan === null) {
    throw fail("conflict", `conflict: run ${runId} goes on by itself`, {
      hint: "only runs made by `lightflow run create` are taken step by step",
    });
  }
  return plan;
}

export interface TraceRow {
  seq: number;
  ts: number;
  event: string;
  step_id: string;
  path: string;
}

export function appendTrace(
  tx: Transaction,
  instanceId: string,
  now: number,
  lines: readonly Omit<TraceRow, "seq" | "ts">[],
): void {
  let seq =
    tx.get<{ last: number | null }>(
      "SELECT max(seq) AS last FROM plan_trace WHERE instance_id = ?",
      instanceId,
    )!.last ?? 0;
  for (const line of lines) {
    tx.run(
      "INSERT INTO plan_trace (instance_id, seq, ts, event, step_id, path) VALUES (?, ?, ?, ?, ?, ?)",
      instanceId,
      ++seq,
      now,
      line.event,
      line.step_id,
      line.path,
    );
  }
}

/** What was read and written in `/ctx` for a run, in order. */
export const listTrace: Query<{ instanceId: string; after: number; limit: number }, TraceRow[]> = (
  tx,
  { instanceId, after, limit },
) =>
  tx.all<TraceRow>(
    "SELECT seq, ts, event, step_id, path FROM plan_trace WHERE instance_id = ? AND seq > ? ORDER BY seq LIMIT ?",
    instanceId,
    after,
    limit,
  );

/** The phase of the instance that a plan's steps add up to. The seed's rules, first match first; no steps: done. */
function phaseOf(plan: { cancelled: boolean; steps: readonly { status: PlanStepStatus }[] }): string {
  const { steps } = plan;
  const some = (...statuses: PlanStepStatus[]) => steps.some(({ status }) => statuses.includes(status));
  if (plan.cancelled) return "cancelled";
  if (some("failed")) return "faulted";
  if (some("cancelled") && !some("planned", "submitting", "submitted")) return "cancelled";
  if (steps.every(({ status }) => status === "succeeded")) return "completed";
  return some("submitting", "submitted", "succeeded") ? "running" : "pending";
}

/** Bring the instance's own row up to what its steps say now. */
export function settleInstance(tx: Transaction, before: InstanceRow, now: number): void {
  const cancelled =
    tx.get<{ cancelled: number }>("SELECT cancelled FROM plan WHERE instance_id = ?", before.id)!
      .cancelled === 1;
  const steps = stepsOf(tx, before.id);
  const status = phaseOf({ cancelled, steps });
  const snapshot = JSON.parse(before.snapshot) as JsonObject;
  snapshot["status"] = status;
  if (status === "completed") {
    snapshot["output"] = Object.fromEntries(steps.map((step) => [step.step_id, step.output]));
  }
  const failed = steps.find((step) => step.status === "failed");
  if (failed !== undefined) {
    snapshot["error"] = { title: "Step failed", detail: textOf(failed.output), instance: failed.step_id };
  }
  const ended = ["completed", "faulted", "cancelled"].includes(status);
  tx.run(
    "UPDATE instance SET version = version + 1, status = ?, snapshot = ?, updated_at = ?, finished_at = ? WHERE id = ?",
    status,
    JSON.stringify(snapshot),
    now,
    ended ? (before.finished_at ?? now) : null,
    before.id,
  );
  tx.notify("instance", before.id);
  if (ended) tx.notify("ended", before.id);
}

function textOf(output: Json): string {
  if (typeof output === "object" && output !== null && !Array.isArray(output)) {
    return String(output["error"] ?? "the request failed");
  }
  return typeof output === "string" ? output : "the request failed";
}
