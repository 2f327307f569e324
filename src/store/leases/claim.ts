import { type Failure, fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { appendAudit } from "../audit/append.ts";
import { appendEvents } from "../instances/events.ts";
import type { Operation, Transaction } from "../operation.ts";
import { authenticate, offerOf, type SessionRow } from "../runners/session.ts";

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
  /** Its session was found good in an earlier call and has not changed since: it need not be read when nothing is queued. */
  checked: boolean;
}

export interface PendingRequest {
  id: string;
  instance_id: string;
  step_id: string;
  reference: string;
  policy_digest: string;
  payload: JsonObject;
  attempt: number;
}

export interface ClaimBatch {
  waiters: readonly Waiter[];
  now: number;
  /** The lease document for a request; called inside the transaction, pure. */
  build(
    request: PendingRequest,
    session: SessionRow,
    issue: { leaseId: string; nonce: string; issuedAt: number },
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
  return session.healthy === 0 ? fail("runner_unhealthy") : null;
}

function eligible(session: SessionRow, requirement: Requirement): boolean {
  const offer = offerOf(session);
  return (
    offer.runnerPools.includes(requirement.runnerPool) &&
    offer.executionProfiles.includes(requirement.executionProfile) &&
    requirement.capabilities.every((name) => offer.capabilities.includes(name)) &&
    offer.sandboxModes.includes(requirement.sandboxMode) &&
    (requirement.runnerId === undefined || requirement.runnerId === session.runner_id)
  );
}

/**
 * Give waiting claims what is queued, first come first served, in one transaction.
 * @returns one answer a waiter: a lease, a refusal, or null when there is nothing for it now; and, when somebody goes on
 * waiting, when to look again even without a hint
 */
export const claimLeases: Operation<ClaimBatch, { answers: ClaimAnswer[]; postponedUntil: number | null }> = (
  tx,
  batch,
) => {
  const partitions = pendingPartitions(tx, batch.now);
  const answers = batch.waiters.map((waiter): ClaimAnswer => {
    if (waiter.checked && partitions.every(({ dry }) => dry)) return null;
    let session: SessionRow;
    try {
      session = authenticate(tx, "claim", waiter.tokenHash, batch.now, waiter);
    } catch (refused) {
      return { refused: refused as Failure };
    }
    if (!waiter.checked) {
      const repeated = repeatedClaim(tx, batch, session, waiter);
      if (repeated !== null) return repeated;
    }
    const refused = mayClaim(session, batch.now);
    if (refused !== null) return { refused };
    if (partitions.every(({ dry }) => dry) || isFull(tx, session)) return null;
    return issue(tx, batch, waiter, session, partitions);
  });
  return { answers, postponedUntil: answers.includes(null) ? nextPostponed(tx, batch.now) : null };
};

/** When the earliest request that was put back is due again, or null. */
function nextPostponed(tx: Transaction, now: number): number | null {
  return tx.get<{ at: number | null }>(
    "SELECT min(not_before) AS at FROM request WHERE state = 'pending' AND attempts > 0 AND not_before > ?",
    now,
  )!.at;
}

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

/** Whether the runner holds as many leases as it may. */
function isFull(tx: Transaction, session: SessionRow): boolean {
  const { live } = tx.get<{ live: number }>(
    "SELECT count(*) AS live FROM lease WHERE session_id = ? AND state IN ('leased', 'started')",
    session.id,
  )!;
  return live >= offerOf(session).slots;
}

interface RequestRow extends Omit<PendingRequest, "payload" | "attempt"> {
  payload: string;
  attempts: number;
}

const REQUEST = "id, instance_id, step_id, reference, policy_digest, payload, attempts";

const pendingRequest = (row: RequestRow, attempt: number): PendingRequest => ({
  ...row,
  payload: JSON.parse(row.payload) as JsonObject,
  attempt,
});

/** A claim that came before with this message id: its lease again, as long as it was not started. */
function repeatedClaim(tx: Transaction, batch: ClaimBatch, session: SessionRow, waiter: Waiter): ClaimAnswer {
  const held = tx.get<{
    id: string;
    request_id: string;
    nonce: string | null;
    issued_at: number;
    attempt: number;
  }>(
    "SELECT id, request_id, nonce, issued_at, attempt FROM lease WHERE session_id = ? AND claim_message_id = ? AND state IN ('leased', 'started')",
    session.id,
    waiter.messageId,
  );
  if (held === undefined) return null;
  if (held.nonce === null) {
    return { refused: fail("lease_used", "the lease of this claim was already started") };
  }
  const row = tx.get<RequestRow>(`SELECT ${REQUEST} FROM request WHERE id = ?`, held.request_id)!;
  const issued = { leaseId: held.id, nonce: held.nonce, issuedAt: held.issued_at };
  return batch.build(pendingRequest(row, held.attempt), session, issued);
}

function issue(
  tx: Transaction,
  batch: ClaimBatch,
  waiter: Waiter,
  session: SessionRow,
  partitions: Partition[],
): ClaimAnswer {
  type Row = RequestRow & { priority: number; created_at: number };
  let best: Row | undefined;
  for (const partition of partitions) {
    if (
      partition.dry ||
      partition.tenant_id !== session.tenant_id ||
      !eligible(session, partition.requirement)
    )
      continue;
    // The partition's number stands in the text: with a bound one SQLite plans the ordered look-up anew each time.
    const first = tx.get<Row>(
      `SELECT ${REQUEST}, priority, created_at FROM request
       WHERE requirement = ${Number(partition.id)} AND state = 'pending' AND not_before <= ? ORDER BY priority DESC, created_at, id LIMIT 1`,
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
    if (better) best = first;
  }
  if (best === undefined) return null;
  const request = pendingRequest(best, best.attempts + 1);
  const { lease, timeoutMs, workspaceKey } = batch.build(request, session, {
    ...waiter,
    issuedAt: batch.now,
  });
  tx.run("UPDATE request SET state = 'leased', attempts = ? WHERE id = ?", request.attempt, request.id);
  tx.run(
    `INSERT INTO lease (id, request_id, instance_id, tenant_id, runner_id, session_id, attempt, fence, nonce, state,
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
  return { lease };
}
