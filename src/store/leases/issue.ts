import type { JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { appendAudit } from "../audit/append.ts";
import { appendEvents } from "../instances/events.ts";
import type { Transaction } from "../operation.ts";
import type { SessionRow } from "../runners/session.ts";
import type { ClaimBatch, PendingRequest, Waiter } from "./claim.ts";
import { demandedIsolation } from "./isolation.ts";
import { keepIssued } from "./live.ts";
import type { QueuedRow } from "./partitions.ts";

/** Give a queued task to a session: one attempt, with the next fence. @returns the unsigned lease */
export function issueLease(
  tx: Transaction,
  batch: ClaimBatch,
  waiter: Waiter,
  session: SessionRow,
  request: PendingRequest,
  queued: QueuedRow,
): JsonObject {
  const expiresAt = batch.now + LIMITS.leaseMs;
  const { lease, timeoutMs, workspaceKey } = batch.build(request, session, {
    leaseId: waiter.leaseId,
    nonce: waiter.nonce,
    issuedAt: batch.now,
    expiresAt,
    remainingMs: LIMITS.leaseMs,
  });
  const deadlineAt = batch.now + timeoutMs;
  tx.run(
    "UPDATE /* kept */ request SET state = 'leased', attempts = ? WHERE id = ?",
    request.attempt,
    request.id,
  );
  tx.run(
    `INSERT INTO /* kept */ lease (id, request_id, instance_id, tenant_id, runner_id, session_id, attempt, fence, nonce, state,
       claim_message_id, issued_at, expires_at, deadline_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'leased', ?, ?, ?, ?)`,
    waiter.leaseId,
    request.id,
    request.instance_id,
    session.tenant_id,
    session.runner_id,
    session.id,
    request.attempt,
    request.attempt,
    waiter.nonce,
    waiter.messageId,
    batch.now,
    expiresAt,
    deadlineAt,
  );
  keepIssued(tx, {
    id: waiter.leaseId,
    request_id: request.id,
    instance_id: request.instance_id,
    tenant_id: session.tenant_id,
    runner_id: session.runner_id,
    attempt: request.attempt,
    fence: request.attempt,
    nonce: waiter.nonce,
    state: "leased",
    issued_at: batch.now,
    expires_at: expiresAt,
    deadline_at: deadlineAt,
    start_message_id: null,
    cancel_reason: null,
    result_digest: null,
    verdict: null,
    latest: request.attempt,
    step_id: request.step_id,
    reference: request.reference,
    policy_digest: request.policy_digest,
    request_state: "leased",
    concurrency_key: queued.concurrency_key,
    effect_id: queued.effect_id,
    template: queued.template,
    approval: queued.approval,
    requirement: queued.requirement,
  });
  if (workspaceKey !== null) {
    tx.run(
      "INSERT INTO workspace (instance_id, key, runner_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      request.instance_id,
      workspaceKey,
      session.runner_id,
    );
  }
  appendAudit(tx, {
    tenantId: session.tenant_id,
    now: batch.now,
    actor: "controller",
    action: "lease.issued",
    object: `lease:${waiter.leaseId}`,
    body: {
      runnerId: session.runner_id,
      sessionId: session.id,
      instanceId: request.instance_id,
      reference: request.reference,
      attempt: request.attempt,
      policyDigest: request.policy_digest,
      isolation: demandedIsolation(lease),
    },
  });
  appendEvents(tx, request.instance_id, batch.now, [
    {
      event: "step.leased",
      step_id: request.step_id,
      reference: request.reference,
      detail: { lease_id: waiter.leaseId, runner_id: session.runner_id, attempt: request.attempt },
    },
  ]);
  return lease;
}
