import { fail } from "../../base/errors.ts";
import { keep } from "../kept.ts";
import type { Query, Transaction } from "../operation.ts";
import { authenticate, type Reader } from "../runners/session.ts";

export interface LeaseRow extends RequestFacts {
  id: string;
  request_id: string;
  instance_id: string;
  tenant_id: string;
  runner_id: string;
  /** The session that speaks, which may be a newer one of the same runner than the lease was issued to. */
  session_id: string;
  /** What that session may be given. */
  offer: string;
  attempt: number;
  fence: number;
  nonce: string | null;
  state: string;
  issued_at: number;
  expires_at: number;
  deadline_at: number;
  start_message_id: string | null;
  cancel_reason: string | null;
  result_digest: string | null;
  verdict: string | null;
}

/** A lease with what its request says, whoever speaks. */
type LeaseFacts = Omit<LeaseRow, "session_id" | "offer">;

/** What a lease's request says. */
export interface RequestFacts {
  latest: number;
  step_id: string;
  reference: string;
  policy_digest: string;
  request_state: string;
  concurrency_key: string | null;
  effect_id: string;
  template: string | null;
  approval: string | null;
  requirement: number;
}

export interface LeaseCaller {
  tokenHash: string;
  leaseId: string;
  attempt: number;
  fencingToken: number;
  now: number;
}

/** The lease of a caller, whatever its state: unknown to this tenant reads as unknown at all. */
function ownLease(tx: Reader, caller: LeaseCaller): LeaseRow {
  const session = authenticate(tx, "claim", caller.tokenHash, caller.now, { onLease: true });
  const lease =
    (tx.kept?.lease.get(caller.leaseId) as LeaseFacts | undefined) ?? readLease(tx, caller.leaseId);
  // One of another tenant reads exactly as one that does not exist.
  if (lease === undefined || lease.tenant_id !== session.tenant_id) throw fail("lease_not_found");
  if (lease.runner_id !== session.runner_id) throw fail("runner_mismatch");
  return { ...lease, session_id: session.id, offer: session.offer };
}

function readLease(tx: Reader, id: string): LeaseFacts | undefined {
  // Two look-ups by key: a join of the two takes several times as long.
  const lease = tx.get<Omit<LeaseFacts, keyof RequestFacts>>(
    `SELECT id, request_id, instance_id, tenant_id, runner_id, attempt, fence, nonce, state, issued_at, expires_at,
       deadline_at, start_message_id, cancel_reason, result_digest, verdict FROM lease WHERE id = ?`,
    id,
  );
  if (lease === undefined) return undefined;
  const request = tx.get<RequestFacts>(
    "SELECT attempts AS latest, step_id, reference, policy_digest, state AS request_state, concurrency_key, effect_id, template, approval, requirement FROM request WHERE id = ?",
    lease.request_id,
  )!;
  const facts = { ...lease, ...request };
  // Of a request one lease at most is live, so what changes the request of another is not missed.
  if (tx.kept !== undefined && (lease.state === "leased" || lease.state === "started"))
    keep(tx.kept.lease, id, facts);
  return facts;
}

/** A lease that was just issued, as it would be read. */
export function keepIssued(tx: Transaction, lease: LeaseFacts): void {
  keep(tx.kept.lease, lease.id, lease);
}

/** What a statement that says `kept` has changed of a lease. */
export function keepChanged(tx: Transaction, id: string, changed: Partial<LeaseFacts>): void {
  const known = tx.kept.lease.get(id) as LeaseFacts | undefined;
  if (known !== undefined) tx.kept.lease.set(id, { ...known, ...changed });
}

/** The lease of a caller, with the attempt and the fence that were issued. */
export function findLease(tx: Reader, caller: LeaseCaller): LeaseRow {
  const lease = ownLease(tx, caller);
  if (lease.attempt !== caller.attempt || lease.fence !== caller.fencingToken) {
    throw fail(
      caller.fencingToken < lease.fence ? "stale_fence" : "identity_mismatch",
      "the attempt or the fencing token is not the lease's",
    );
  }
  return lease;
}

/** Why a lease takes no more reports, or null while it does. The server's clock decides. */
export function whyEnded(lease: LeaseRow, now: number): ReturnType<typeof fail> | null {
  if (lease.latest > lease.attempt) return fail("stale_fence");
  if (lease.state === "expired" || lease.state === "unknown" || lease.state === "timed_out")
    return fail("runner_lease_expired");
  if (lease.state === "cancelled") return fail("lease_revoked");
  if (lease.state !== "leased" && lease.state !== "started") {
    return fail("lease_state_conflict", `the lease is ${lease.state}`);
  }
  if (lease.expires_at <= now) return fail("runner_lease_expired");
  return null;
}

/** Run a message once: a repeat of its id gets the stored answer. */
export function once<Answer>(
  tx: Transaction,
  leaseId: string,
  messageId: string,
  work: () => Answer,
): Answer {
  const stored = tx.get<{ answer: string }>(
    "SELECT answer FROM lease_message WHERE lease_id = ? AND message_id = ?",
    leaseId,
    messageId,
  );
  if (stored !== undefined) return JSON.parse(stored.answer) as Answer;
  const answer = work();
  tx.run(
    "INSERT INTO lease_message (lease_id, message_id, answer) VALUES (?, ?, ?)",
    leaseId,
    messageId,
    JSON.stringify(answer),
  );
  return answer;
}

/** Whose a lease is. */
export const tenantOfLease: Query<LeaseCaller, string> = (tx, caller) => findLease(tx, caller).tenant_id;
