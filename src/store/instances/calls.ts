import type { Json, JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { openOperatorTask } from "../operators/operator-tasks.ts";
import { advanceInstance } from "./advance.ts";
import type { CallEffect, EnginePort, InstanceRow, StoredInput } from "./engine-port.ts";
import { appendEvents, type EventRow } from "./events.ts";

/** A call that an orchestrator has taken and may make now. */
export interface ClaimedCall {
  instance_id: string;
  effect_id: string;
  tenant_id: string;
  reference: string;
  step_id: string;
  fence: number;
  attempt: number;
  /** Of its instance: where it may go. */
  policy_digest: string;
  request: JsonObject;
}

interface CallRow {
  instance_id: string;
  effect_id: string;
  tenant_id: string;
  step_id: string;
  reference: string;
  request: string;
  repeatable: number;
  fence: number;
}

/**
 * Put a call down. Where this process makes calls itself it takes the call in the same commit, marker and all, and begins
 * once that is durable; else it waits for whoever takes it.
 */
export function insertCall(
  tx: Transaction,
  engine: EnginePort,
  row: InstanceRow,
  effect: CallEffect,
  now: number,
): void {
  const claim = engine.claimsCalls?.() ?? null;
  const request = JSON.stringify(effect.request);
  const repeatable = effect.request.repeatable;
  tx.run(
    `INSERT INTO native_call (instance_id, effect_id, tenant_id, step_id, reference, request, repeatable, state, marker, owner, fence,
       claimed_until, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    effect.id,
    row.tenant_id,
    effect.step_id,
    effect.reference,
    request,
    repeatable ? 1 : 0,
    claim === null ? "pending" : "claimed",
    claim === null || repeatable ? "none" : "possible",
    claim?.owner ?? null,
    claim === null ? 0 : 1,
    claim?.until ?? null,
    now,
  );
  if (claim === null) {
    tx.notify("call", row.id);
    return;
  }
  const call: ClaimedCall = {
    instance_id: row.id,
    effect_id: effect.id,
    tenant_id: row.tenant_id,
    step_id: effect.step_id,
    reference: effect.reference,
    fence: 1,
    attempt: 1,
    policy_digest: row.policy_digest,
    // A copy: whoever makes the call puts secrets into it, and the engine's own may share its parts with the document.
    request: JSON.parse(request) as JsonObject,
  };
  tx.afterCommit(() => claim.make(call));
}

/**
 * Take calls to make them. The marker of one that must not be made twice becomes `possible` in the same commit, so that
 * it stands before the first byte leaves. What a process left behind that no longer renews its claim is looked at first.
 */
export const claimCalls: Operation<
  { owner: string; now: number; until: number; limit: number; gone: readonly string[] },
  ClaimedCall[]
> = (tx, { owner, now, until, limit, gone }) => {
  releaseLost(tx, now, gone);
  const rows = tx.all<CallRow>(
    "SELECT instance_id, effect_id, tenant_id, step_id, reference, request, repeatable, fence FROM native_call WHERE state = 'pending' ORDER BY created_at LIMIT ?",
    limit,
  );
  return rows.map((row) => {
    const fence = row.fence + 1;
    tx.run(
      "UPDATE native_call SET state = 'claimed', owner = ?, fence = ?, claimed_until = ?, marker = ? WHERE instance_id = ? AND effect_id = ?",
      owner,
      fence,
      until,
      row.repeatable === 1 ? "none" : "possible",
      row.instance_id,
      row.effect_id,
    );
    const { policy_digest } = tx.get<{ policy_digest: string }>(
      "SELECT policy_digest FROM instance WHERE id = ?",
      row.instance_id,
    )!;
    return { ...row, fence, attempt: fence, policy_digest, request: JSON.parse(row.request) as JsonObject };
  });
};

/**
 * Claims of processes that have ended or no longer renew them: none ⇒ made again, possible ⇒ an operator decides.
 * @param gone owners whose process is known to have ended
 */
function releaseLost(tx: Transaction, now: number, gone: readonly string[]): void {
  const lost = tx.all<CallRow & { marker: string }>(
    `SELECT instance_id, effect_id, tenant_id, step_id, reference, request, repeatable, fence, marker FROM native_call
     WHERE state = 'claimed' AND claimed_until <= ?`,
    now,
  );
  for (const owner of gone) {
    lost.push(
      ...tx.all<CallRow & { marker: string }>(
        `SELECT instance_id, effect_id, tenant_id, step_id, reference, request, repeatable, fence, marker FROM native_call
         WHERE state = 'claimed' AND claimed_until > ? AND owner = ?`,
        now,
        owner,
      ),
    );
  }
  for (const row of lost) {
    const again = row.marker === "none";
    tx.run(
      "UPDATE native_call SET state = ? WHERE instance_id = ? AND effect_id = ?",
      again ? "pending" : "unknown",
      row.instance_id,
      row.effect_id,
    );
    const at = { step_id: row.step_id, reference: row.reference };
    const reason = "the orchestrator that made the call has gone";
    const detail: JsonObject = { attempt: row.fence, reason };
    if (!again) {
      detail["operator_task"] = openOperatorTask(tx, {
        tenantId: row.tenant_id,
        kind: "outcome_unknown",
        subject: subjectOf(row.instance_id, row.effect_id),
        instanceId: row.instance_id,
        body: { ...at, run_id: runIdOf(tx, row.instance_id), ...detail },
        now,
      });
    }
    appendEvents(tx, row.instance_id, now, [
      { event: again ? "step.requeued" : "step.outcome_unknown", ...at, detail },
    ]);
    tx.notify("instance", row.instance_id);
  }
}

const runIdOf = (tx: Transaction, instanceId: string): string =>
  tx.get<{ run_id: string }>("SELECT run_id FROM instance WHERE id = ?", instanceId)!.run_id;

/** How an operator's task names a call. */
export const subjectOf = (instanceId: string, effectId: string): string => `call:${instanceId}/${effectId}`;

/** Who holds calls now. */
export const callOwners: Query<null, string[]> = (tx) =>
  tx
    .all<{ owner: string }>("SELECT DISTINCT owner FROM native_call WHERE state = 'claimed'")
    .map(({ owner }) => owner);

/** This process is still at work on what it claimed. */
export const renewCalls: Operation<{ owner: string; until: number }, number> = (tx, { owner, until }) =>
  tx.run("UPDATE native_call SET claimed_until = ? WHERE owner = ? AND state = 'claimed'", until, owner);

export interface FinishCall {
  engine: EnginePort;
  owner: string;
  call: Omit<ClaimedCall, "policy_digest">;
  input: StoredInput;
  durationMs: number;
  /** For the history: `succeeded` or the kind of the error. */
  status: string;
  /** What else the history says of it. */
  detail?: JsonObject;
  now: number;
}

/** Take a call's result into its instance. @returns false when the claim is no longer this process's */
export const finishCall: Operation<FinishCall, boolean> = (tx, finish) => {
  const { call, now } = finish;
  const taken = tx.run(
    "UPDATE native_call SET state = 'done', marker = 'confirmed', claimed_until = NULL WHERE instance_id = ? AND effect_id = ? AND owner = ? AND fence = ? AND state = 'claimed'",
    call.instance_id,
    call.effect_id,
    finish.owner,
    call.fence,
  );
  if (taken === 0) return false;
  const line: EventRow = {
    event: "step.attempt_finished",
    step_id: call.step_id,
    reference: call.reference,
    detail: {
      attempt: call.attempt,
      status: finish.status,
      duration_ms: finish.durationMs,
      ...finish.detail,
    },
  };
  // How an agent ended is told in the audit, as its placement was.
  if (["agent", "agent-service"].includes(String(call.request["call"])))
    appendAudit(tx, {
      tenantId: call.tenant_id,
      now,
      actor: "orchestrator",
      action: "agent.ended",
      object: `instance:${call.instance_id}`,
      body: { reference: call.reference, attempt: call.attempt, outcome: finish.status, ...finish.detail },
    });
  advanceInstance(tx, finish.engine, call.instance_id, finish.input, now, [line]);
  return true;
};

/**
 * Take one message of a call that goes on into its instance. @returns false when the claim is no longer this process's
 */
export const tellOfCall: Operation<
  {
    engine: EnginePort;
    owner: string;
    call: Pick<ClaimedCall, "instance_id" | "effect_id" | "fence">;
    input: StoredInput;
    now: number;
  },
  boolean
> = (tx, { engine, owner, call, input, now }) => {
  const held = tx.get(
    "SELECT 1 FROM native_call WHERE instance_id = ? AND effect_id = ? AND owner = ? AND fence = ? AND state = 'claimed'",
    call.instance_id,
    call.effect_id,
    owner,
    call.fence,
  );
  if (held === undefined) return false;
  advanceInstance(tx, engine, call.instance_id, input, now);
  return true;
};

/** What is heard of a call while it goes on: a line of the history, as long as the claim holds. */
export const progressOfCall: Operation<
  {
    owner: string;
    call: Pick<ClaimedCall, "instance_id" | "effect_id" | "fence" | "step_id" | "reference">;
    detail: Json;
    now: number;
  },
  void
> = (tx, { owner, call, detail, now }) => {
  const held = tx.get(
    "SELECT 1 FROM native_call WHERE instance_id = ? AND effect_id = ? AND owner = ? AND fence = ? AND state = 'claimed'",
    call.instance_id,
    call.effect_id,
    owner,
    call.fence,
  );
  if (held === undefined) return;
  const { step_id, reference } = call;
  appendEvents(tx, call.instance_id, now, [{ event: "step.progress", step_id, reference, detail }]);
  tx.notify("instance", call.instance_id);
};

/** The calls that a process holds: what it makes and does not find here was cancelled or taken over. */
export const heldCalls: Query<string, { instance_id: string; effect_id: string; fence: number }[]> = (
  tx,
  owner,
) =>
  tx.all(
    "SELECT instance_id, effect_id, fence FROM native_call WHERE state = 'claimed' AND owner = ?",
    owner,
  );

/** @returns whether the effect was a call */
export function cancelCall(tx: Transaction, row: InstanceRow, effectId: string, now: number): boolean {
  const call = tx.get<{ state: string }>(
    "SELECT state FROM native_call WHERE instance_id = ? AND effect_id = ?",
    row.id,
    effectId,
  );
  if (call === undefined) return false;
  if (call.state === "done") return true;
  tx.run(
    "UPDATE native_call SET state = 'cancelled' WHERE instance_id = ? AND effect_id = ?",
    row.id,
    effectId,
  );
  if (call.state === "unknown") {
    tx.run(
      "UPDATE operator_task SET state = 'resolved', resolution = 'the step was cancelled', resolved_at = ? WHERE kind = 'outcome_unknown' AND subject = ? AND state = 'open'",
      now,
      subjectOf(row.id, effectId),
    );
  }
  tx.notify("call", row.id);
  return true;
}
