import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { advanceInstance } from "./advance.ts";
import { subjectOf } from "./calls.ts";
import type { EnginePort, StoredInput } from "./engine-port.ts";
import { appendEvents } from "./events.ts";

/** A call whose outcome nobody knows, as an operator sees it. */
export interface UnknownCall {
  /** `<instance>.<effect>` */
  id: string;
  run_id: string;
  step_id: string;
  reference: string;
  /** How often it was begun. */
  attempts: number;
  created_at: number;
}

/** Calls with an unknown outcome, of one run or of all. */
export const listUnknownCalls: Query<{ tenantId: string; runId: string | null }, UnknownCall[]> = (
  tx,
  { tenantId, runId },
) =>
  tx.all<UnknownCall>(
    `SELECT native_call.instance_id || '.' || effect_id AS id, run_id, step_id, reference, fence AS attempts, native_call.created_at
     FROM native_call JOIN instance ON instance.id = native_call.instance_id
     WHERE native_call.state = 'unknown' AND native_call.tenant_id = ? AND (? IS NULL OR run_id = ?)
     ORDER BY native_call.created_at, native_call.rowid`,
    tenantId,
    runId,
    runId,
  );

export interface ResolveCall {
  engine: EnginePort;
  tenantId: string;
  id: string;
  /** What became of the call: its result for the task that waits, or `retry` to make it again. */
  as: { kind: "retry" } | { kind: "succeeded" | "failed"; input: (effectId: string) => StoredInput };
  /** Who decides, for the history and the audit. */
  actor: string;
  now: number;
}

/**
 * An operator says what became of a call whose outcome is not known. @returns the run that goes on
 * @throws Failure `not_found`, `conflict` when its outcome is known
 */
export const resolveCall: Operation<ResolveCall, { runId: string; stepId: string }> = (tx, resolve) => {
  const call = readCall(tx, resolve.tenantId, resolve.id);
  if (call.state !== "unknown")
    throw fail("conflict", `the outcome of call ${resolve.id} is known: it is ${call.state}`);
  const { now, actor } = resolve;
  const again = resolve.as.kind === "retry";
  // The marker goes back to none because the operator has looked; whoever takes the call sets it again.
  tx.run(
    "UPDATE native_call SET state = ?, marker = ?, owner = NULL, claimed_until = NULL WHERE instance_id = ? AND effect_id = ?",
    again ? "pending" : "done",
    again ? "none" : "confirmed",
    call.instance_id,
    call.effect_id,
  );
  tx.run(
    "UPDATE operator_task SET state = 'resolved', resolution = ?, resolved_at = ? WHERE tenant_id = ? AND kind = 'outcome_unknown' AND subject = ? AND state = 'open'",
    `${resolve.as.kind} by ${actor}`,
    now,
    resolve.tenantId,
    subjectOf(call.instance_id, call.effect_id),
  );
  const detail: JsonObject = { as: resolve.as.kind, by: actor, attempt: call.fence };
  appendAudit(tx, {
    tenantId: resolve.tenantId,
    now,
    actor,
    action: "call.resolved",
    object: `instance:${call.instance_id}`,
    body: { reference: call.reference, ...detail },
  });
  const line = {
    event: "step.resolved",
    step_id: call.step_id,
    reference: call.reference,
    detail: detail as Json,
  };
  if (resolve.as.kind === "retry") {
    appendEvents(tx, call.instance_id, now, [line]);
    tx.notify("call", call.instance_id);
    tx.notify("instance", call.instance_id);
  } else {
    advanceInstance(tx, resolve.engine, call.instance_id, resolve.as.input(call.effect_id), now, [line]);
  }
  return { runId: call.run_id, stepId: call.step_id };
};

interface ResolvableCall {
  instance_id: string;
  effect_id: string;
  run_id: string;
  step_id: string;
  reference: string;
  state: string;
  fence: number;
}

function readCall(tx: Transaction, tenantId: string, id: string): ResolvableCall {
  const [instanceId = "", effectId = ""] = id.split(".");
  const call = tx.get<ResolvableCall>(
    `SELECT instance_id, effect_id, run_id, step_id, reference, native_call.state, fence
     FROM native_call JOIN instance ON instance.id = instance_id
     WHERE instance_id = ? AND effect_id = ? AND native_call.tenant_id = ?`,
    instanceId,
    effectId,
    tenantId,
  );
  if (call === undefined)
    throw fail("not_found", `not found: call ${id}`, { hint: "`lightflow run calls` lists those that wait" });
  return call;
}
