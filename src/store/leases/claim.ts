import { Failure, fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Operation, Transaction } from "../operation.ts";
import { authenticate, offerOf, type SessionRow } from "../runners/session.ts";
import { sessionDenial, taskDenial } from "./admission.ts";
import { noteDenial } from "./denials.ts";
import { issueLease } from "./issue.ts";
import { type Partition, pendingPartitions, QUEUED, type QueuedRow } from "./partitions.ts";

export interface Waiter {
  tokenHash: string;
  runnerId: string;
  sessionId: string;
  messageId: string;
  leaseId: string;
  nonce: string;
  /**
   * Its session as an earlier call found it good, as long as nothing was said to have changed it: enough to see that
   * nothing is queued for it. What is given away is decided on what the transaction itself reads.
   */
  session: SessionRow | null;
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

/** What makes a task's payload a lease. Times of the server's wall clock, in milliseconds. */
export interface LeaseIssue {
  leaseId: string;
  nonce: string;
  issuedAt: number;
  expiresAt: number;
  /** Until `expiresAt` from now, which is later than the issue when the lease is offered again. */
  remainingMs: number;
}

export interface ClaimBatch {
  waiters: readonly Waiter[];
  now: number;
  /** How many leases are issued in one transaction at most, so that others have theirs in between. */
  limit: number;
  /** The lease document for a request; called inside the transaction, pure. */
  build(
    request: PendingRequest,
    session: SessionRow,
    issue: LeaseIssue,
  ): { lease: JsonObject; timeoutMs: number; workspaceKey: string | null };
}

/** A lease, a refusal, or nothing yet for a session that is good: `full` when it has as many leases as it may. */
export type ClaimAnswer = { lease: JsonObject } | { refused: Failure } | { idle: SessionRow; full?: true };

export interface ClaimOutcome {
  /** One a waiter. */
  answers: ClaimAnswer[];
  /** When somebody goes on waiting: when to look again even without a hint. */
  postponedUntil: number | null;
  /** The limit was reached; there may be more to give. */
  more: boolean;
}

/** How many tasks of a partition are read at a time at most. */
const PAGE = 64;

/** Give waiting claims what is queued, in one transaction. */
export const claimLeases: Operation<ClaimBatch, ClaimOutcome> = (tx, batch) => {
  const partitions = pendingPartitions(tx, {
    now: batch.now,
    page: Math.min(batch.waiters.length, PAGE),
  });
  let issued = 0;
  const answers = batch.waiters.map((waiter): ClaimAnswer => {
    if (issued === batch.limit && waiter.session !== null) return { idle: waiter.session };
    try {
      const given = answer(tx, batch, waiter, partitions);
      if ("lease" in given) issued++;
      return given;
    } catch (refused) {
      if (refused instanceof Failure && refused.status < 500) return { refused };
      throw refused;
    }
  });
  const waits = answers.some((each) => "idle" in each);
  return {
    answers,
    postponedUntil: waits ? nextPostponed(tx, batch.now) : null,
    more: issued === batch.limit,
  };
};

function answer(
  tx: Transaction,
  batch: ClaimBatch,
  waiter: Waiter,
  partitions: readonly Partition[],
): ClaimAnswer {
  const known = waiter.session;
  if (known !== null && !partitions.some((partition) => isFor(partition, known))) return { idle: known };
  const session = authenticate(tx, "claim", waiter.tokenHash, batch.now, waiter);
  const live = liveLeases(tx, session);
  const held = live.find(({ claim_message_id: id }) => id === waiter.messageId);
  if (held !== undefined) return repeatedClaim(tx, batch, session, held);
  const denial = sessionDenial(session, batch.now);
  if (denial !== null) throw fail(denial.code, denial.message, { details: { check: denial.check } });
  if (live.length >= offerOf(session).slots) return { idle: session, full: true };
  const partition = bestPartition(tx, batch, session, partitions);
  if (partition === null) return { idle: session };
  const row = partition.head()!;
  partition.take();
  const request = pendingRequest(row, row.attempts + 1);
  return { lease: issueLease(tx, batch, waiter, session, request, row) };
}

const isFor = (partition: Partition, session: SessionRow): boolean =>
  !partition.dry && taskDenial(session, partition.requirement, partition.tenant_id) === null;

/** The partition whose first task is the most urgent of those that the session may have; what it may not have is noted. */
function bestPartition(
  tx: Transaction,
  batch: ClaimBatch,
  session: SessionRow,
  partitions: readonly Partition[],
): Partition | null {
  let best: { partition: Partition; head: QueuedRow } | null = null;
  for (const partition of partitions) {
    // What another tenant has queued is nothing that is kept from this one.
    if (partition.dry || partition.tenant_id !== session.tenant_id) continue;
    const denial = taskDenial(session, partition.requirement, partition.tenant_id);
    if (denial !== null) {
      noteDenial(tx, partition, session, denial, batch.now);
      continue;
    }
    const head = partition.head();
    if (head === null) continue;
    const better =
      best === null ||
      head.priority > best.head.priority ||
      (head.priority === best.head.priority && head.created_at < best.head.created_at);
    if (better) best = { partition, head };
  }
  return best?.partition ?? null;
}

/** When the earliest request that was put back is due again, or null. */
function nextPostponed(tx: Transaction, now: number): number | null {
  return tx.get<{ at: number | null }>(
    "SELECT min(not_before) AS at FROM request WHERE state = 'pending' AND attempts > 0 AND not_before > ?",
    now,
  )!.at;
}

interface LiveLease {
  id: string;
  claim_message_id: string;
}

const liveLeases = (tx: Transaction, session: SessionRow): LiveLease[] =>
  tx.all<LiveLease>(
    "SELECT id, claim_message_id FROM lease WHERE session_id = ? AND state IN ('leased', 'started')",
    session.id,
  );

const pendingRequest = (row: QueuedRow, attempt: number): PendingRequest => ({
  id: row.id,
  instance_id: row.instance_id,
  step_id: row.step_id,
  reference: row.reference,
  policy_digest: row.policy_digest,
  payload: JSON.parse(row.payload) as JsonObject,
  attempt,
});

/** A claim that came before with this message id: its lease again, as long as it was not started. */
function repeatedClaim(
  tx: Transaction,
  batch: ClaimBatch,
  session: SessionRow,
  held: LiveLease,
): ClaimAnswer {
  const lease = tx.get<{
    request_id: string;
    nonce: string | null;
    issued_at: number;
    expires_at: number;
    attempt: number;
  }>("SELECT request_id, nonce, issued_at, expires_at, attempt FROM lease WHERE id = ?", held.id)!;
  if (lease.nonce === null) throw fail("lease_used", "the lease of this claim was already started");
  if (lease.expires_at <= batch.now) throw fail("runner_lease_expired");
  const row = tx.get<QueuedRow>(`SELECT ${QUEUED} FROM request WHERE id = ?`, lease.request_id)!;
  if (row.attempts > lease.attempt) throw fail("stale_fence");
  const issued = {
    leaseId: held.id,
    nonce: lease.nonce,
    issuedAt: lease.issued_at,
    expiresAt: lease.expires_at,
    remainingMs: lease.expires_at - batch.now,
  };
  return { lease: batch.build(pendingRequest(row, lease.attempt), session, issued).lease };
}
