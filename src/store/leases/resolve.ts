import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { approvalRow } from "../approvals/approval.ts";
import { reopenApproval, withdrawApproval } from "../approvals/open.ts";
import { appendAudit } from "../audit/append.ts";
import { advanceInstance } from "../instances/advance.ts";
import type { EnginePort, StoredInput } from "../instances/engine-port.ts";
import { appendEvents } from "../instances/events.ts";
import type { Operation, Transaction } from "../operation.ts";
import { releaseKey } from "./concurrency.ts";

export type Resolution = "succeeded" | "failed" | "retry";

export interface ResolvedAttempt {
  leaseId: string;
  instanceId: string;
  stepId: string;
  attempt: number;
}

export interface ResolveInput {
  engine: EnginePort;
  tenantId: string;
  /** The operator task, the lease, or the queued request. */
  attempt: string;
  as: Resolution;
  /** Who decides, for the history and the audit. */
  actor: string;
  note: string;
  now: number;
  /** The decision as the input of the step that waits. Not asked for a retry. */
  toInput(effect: string, lease: { id: string; runnerId: string; attempt: number }): StoredInput;
}

interface UnknownRequest {
  id: string;
  tenant_id: string;
  instance_id: string;
  effect_id: string;
  step_id: string;
  reference: string;
  state: string;
  attempts: number;
  policy_digest: string;
  concurrency_key: string | null;
  approval: string | null;
}

const REQUEST =
  "SELECT id, tenant_id, instance_id, effect_id, step_id, reference, state, attempts, policy_digest, concurrency_key, approval FROM request WHERE tenant_id = ? AND id =";

function findUnknown(tx: Transaction, tenantId: string, name: string): UnknownRequest {
  const request =
    tx.get<UnknownRequest>(`${REQUEST} ?`, tenantId, name) ??
    tx.get<UnknownRequest>(`${REQUEST} (SELECT request_id FROM lease WHERE id = ?)`, tenantId, name) ??
    tx.get<UnknownRequest>(
      `${REQUEST} (SELECT subject FROM operator_task WHERE id = ? AND kind = 'outcome_unknown')`,
      tenantId,
      name,
    );
  if (request === undefined) {
    throw fail("not_found", `not found: attempt ${name}`, {
      hint: "`lightflow inbox list` shows those that wait",
    });
  }
  if (request.state !== "unknown") {
    throw fail("conflict", `the outcome of ${request.step_id} is not open: the task is ${request.state}`);
  }
  return request;
}

/**
 * An operator says what became of an attempt whose outcome nobody knows: the step goes on as succeeded or failed, or is
 * queued for another attempt under the next fence. Decision, transition and audit are one transaction.
 * @throws Failure `not_found`, `conflict` when it was decided before
 */
export const resolveAttempt: Operation<ResolveInput, ResolvedAttempt> = (tx, input) => {
  const request = findUnknown(tx, input.tenantId, input.attempt);
  const lease = tx.get<{ id: string; runner_id: string; attempt: number }>(
    "SELECT id, runner_id, attempt FROM lease WHERE request_id = ? AND attempt = ?",
    request.id,
    request.attempts,
  )!;
  const facts: JsonObject = {
    lease_id: lease.id,
    runner_id: lease.runner_id,
    attempt: lease.attempt,
    resolution: input.as,
    actor: input.actor,
    ...(input.note === "" ? {} : { note: input.note }),
  };
  tx.run(
    "UPDATE operator_task SET state = 'resolved', resolution = ?, resolved_at = ? WHERE tenant_id = ? AND kind = 'outcome_unknown' AND subject = ? AND state = 'open'",
    `${input.as} by ${input.actor}${input.note === "" ? "" : `: ${input.note}`}`,
    input.now,
    input.tenantId,
    request.id,
  );
  appendAudit(tx, {
    tenantId: input.tenantId,
    now: input.now,
    actor: input.actor,
    action: "attempt.resolved",
    object: `lease:${lease.id}`,
    body: { ...facts, instanceId: request.instance_id, policyDigest: request.policy_digest },
  });
  const resolved = {
    event: "step.attempt_resolved",
    step_id: request.step_id,
    reference: request.reference,
    detail: facts,
  };
  if (input.as === "retry" && request.approval !== null) {
    // What was agreed to was one attempt, and that one was made: another one has to be agreed to.
    appendEvents(tx, request.instance_id, input.now, [resolved]);
    reopenApproval(tx, approvalRow(tx, request.tenant_id, request.approval), input.now);
  } else if (input.as === "retry") {
    appendEvents(tx, request.instance_id, input.now, [
      resolved,
      {
        ...resolved,
        event: "step.requeued",
        detail: { ...facts, reason: "an operator asked for another attempt" },
      },
    ]);
    tx.run(
      "UPDATE request SET state = 'pending', not_before = ?, diagnostic = NULL WHERE id = ?",
      input.now,
      request.id,
    );
    tx.notify("request", request.id);
  } else {
    tx.run(
      "UPDATE request SET state = 'satisfied', accepted_attempt = ? WHERE id = ?",
      lease.attempt,
      request.id,
    );
    releaseKey(tx, request);
    withdrawApproval(tx, request.instance_id, request.effect_id, input.now);
    const taken = input.toInput(request.effect_id, {
      id: lease.id,
      runnerId: lease.runner_id,
      attempt: lease.attempt,
    });
    advanceInstance(tx, input.engine, request.instance_id, taken, input.now, [resolved]);
  }
  return {
    leaseId: lease.id,
    instanceId: request.instance_id,
    stepId: request.step_id,
    attempt: lease.attempt,
  };
};
