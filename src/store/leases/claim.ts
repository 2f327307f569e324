import { type Failure, fail } from "../../base/errors.ts";
import { isObject, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { appendAudit } from "../audit/append.ts";
import { appendEvents } from "../instances/events.ts";
import type { Operation, Transaction } from "../operation.ts";
import { authenticate, type SessionRow } from "../runners/session.ts";

/** What a queued task asks of a runner; one queue partition each. */
export interface Requirement {
  runnerPool: string;
  executionProfile: string;
  capabilities: string[];
  sandboxMode: string;
  runnerId?: string;
}

export interface Waiter {
  tokenHash: string;
  runnerId: string;
  sessionId: string;
  messageId: string;
  leaseId: string;
  nonce: string;
  nonceHash: string;
  /** Its session was found good in an earlier call and has not changed since: it need not be read when nothing is queued. */
  checked: boolean;
}

export interface PendingRequest {
  id: string;
  tenant_id: string;
  instance_id: string;
  step_id: string;
  reference: string;
  policy_digest: string;
  payload: JsonObject;
  requirement: Requirement;
  attempt: number;
}

export interface ClaimBatch {
  waiters: readonly Waiter[];
  now: number;
  /** The lease document for a request; called inside the transaction, pure. */
  build(
    request: PendingRequest,
    session: SessionRow,
    waiter: Waiter,
  ): { lease: JsonObject; timeoutMs: number; workspaceKey: string | null };
}

export type ClaimAnswer = { lease: JsonObject } | { refused: Failure } | null;

/** The checks of a session before it may be given anything. */
function mayClaim(session: SessionRow, now: number): Failure | null {
  if (session.state === "suspicious")
    return fail("runner_quarantined", "the runner's configuration has drifted");
  if (session.state === "draining") return fail("runner_draining");
  if (session.last_seen_at < now - LIMITS.sessionSilentMs)
    return fail("runner_session_inactive", "no heartbeat came in time");
  const health = JSON.parse(session.health) as JsonObject;
  return health["status"] === "unhealthy" ? fail("runner_unhealthy") : null;
}

function eligible(session: SessionRow, requirement: Requirement): boolean {
  const effective = JSON.parse(session.effective) as {
    runnerPools: string[];
    executionProfiles: string[];
    capabilities: string[];
  };
  const registration = JSON.parse(session.registration) as { sandbox: { modes: string[] } };
  return (
    effective.runnerPools.includes(requirement.runnerPool) &&
    effective.executionProfiles.includes(requirement.executionProfile) &&
    requirement.capabilities.every((name) => effective.capabilities.includes(name)) &&
    registration.sandbox.modes.includes(requirement.sandboxMode) &&
    (requirement.runnerId === undefined || requirement.runnerId === session.runner_id)
  );
}

/**
 * Give waiting claims what is queued, first come first served, in one transaction.
 * @returns one answer a waiter: a lease, a refusal, or null when there is nothing for it now
 */
export const claimLeases: Operation<ClaimBatch, ClaimAnswer[]> = (tx, batch) => {
  const partitions = pendingPartitions(tx, batch.now);
  return batch.waiters.map((waiter): ClaimAnswer => {
    if (waiter.checked && partitions.every(({ dry }) => dry)) return null;
    let session: SessionRow;
    try {
      session = authenticate(tx, "claim", waiter.tokenHash, batch.now, waiter);
    } catch (refused) {
      return { refused: refused as Failure };
    }
    const held = tx.get<{ count: number; repeated: string | null }>(
      "SELECT count(*) AS count, max(iif(claim_message_id = ?, id, NULL)) AS repeated FROM lease WHERE session_id = ? AND state IN ('leased', 'started')",
      waiter.messageId,
      session.id,
    )!;
    if (held.repeated !== null) return repeatedClaim(tx, held.repeated);
    const refused = mayClaim(session, batch.now);
    if (refused !== null) return { refused };
    const { slots } = JSON.parse(session.registration) as { slots: number };
    if (partitions.every(({ dry }) => dry) || held.count >= slots) return null;
    return issue(tx, batch, waiter, session, partitions);
  });
};

interface Partition {
  readonly id: number;
  readonly tenant_id: string;
  readonly requirement: Requirement;
  /** Nothing of it is due any more. */
  dry: boolean;
}

/** The queue's partitions that hold something that is due. */
function pendingPartitions(tx: Transaction, now: number): Partition[] {
  return tx
    .all<{ id: number; tenant_id: string; body: string }>(
      "SELECT id, tenant_id, body FROM requirement WHERE EXISTS (SELECT 1 FROM request WHERE request.requirement = requirement.id AND request.state = 'pending' AND request.not_before <= ?)",
      now,
    )
    .map((row) => ({
      id: row.id,
      tenant_id: row.tenant_id,
      requirement: JSON.parse(row.body) as Requirement,
      dry: false,
    }));
}

/** A claim that came before with this message id: its lease again, as long as it was not started. */
function repeatedClaim(tx: Transaction, leaseId: string): ClaimAnswer {
  const { document } = tx.get<{ document: string | null }>(
    "SELECT document FROM lease WHERE id = ?",
    leaseId,
  )!;
  return document === null
    ? { refused: fail("lease_used", "the lease of this claim was already started") }
    : { lease: JSON.parse(document) as JsonObject };
}

function issue(
  tx: Transaction,
  batch: ClaimBatch,
  waiter: Waiter,
  session: SessionRow,
  partitions: Partition[],
): ClaimAnswer {
  type Row = Omit<PendingRequest, "payload" | "requirement" | "attempt"> & {
    payload: string;
    attempts: number;
    priority: number;
    created_at: number;
    requirement: Requirement;
  };
  let best: Row | undefined;
  for (const partition of partitions) {
    if (
      partition.dry ||
      partition.tenant_id !== session.tenant_id ||
      !eligible(session, partition.requirement)
    )
      continue;
    const first = tx.get<Row>(
      `SELECT id, tenant_id, instance_id, step_id, reference, policy_digest, payload, attempts, priority, created_at FROM request
       WHERE requirement = ? AND state = 'pending' AND not_before <= ? ORDER BY priority DESC, created_at, id LIMIT 1`,
      partition.id,
      batch.now,
    );
    if (first === undefined) {
      partition.dry = true;
      continue;
    }
    const better =
      best === undefined ||
      first.priority > best.priority ||
      (first.priority === best.priority && first.created_at < best.created_at);
    if (better) best = { ...first, requirement: partition.requirement };
  }
  if (best === undefined) return null;
  const request: PendingRequest = {
    ...best,
    payload: JSON.parse(best.payload) as JsonObject,
    attempt: best.attempts + 1,
  };
  const { lease, timeoutMs, workspaceKey } = batch.build(request, session, waiter);
  tx.run("UPDATE request SET state = 'leased', attempts = ? WHERE id = ?", request.attempt, request.id);
  tx.run(
    `INSERT INTO lease (id, request_id, instance_id, tenant_id, runner_id, session_id, attempt, fence, nonce_hash, state, document,
       claim_message_id, issued_at, expires_at, deadline_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'leased', ?, ?, ?, ?, ?)`,
    waiter.leaseId,
    request.id,
    request.instance_id,
    session.tenant_id,
    session.runner_id,
    session.id,
    request.attempt,
    request.attempt,
    waiter.nonceHash,
    JSON.stringify(lease),
    waiter.messageId,
    batch.now,
    batch.now + LIMITS.leaseMs,
    batch.now + timeoutMs,
  );
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
  return { lease: isObject(lease) ? lease : {} };
}

/** When the earliest postponed request may be claimed, or null. */
export const nextPostponed = (tx: Pick<Transaction, "get">, now: number): number | null =>
  tx.get<{ at: number | null }>(
    "SELECT min(not_before) AS at FROM request WHERE state = 'pending' AND not_before > ?",
    now,
  )!.at;
