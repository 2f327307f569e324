import { fail } from "../../base/errors.ts";
import { equalSecret } from "../../base/ids.ts";
import { LIMITS } from "../../base/limits.ts";
import { consumeApproval } from "../approvals/decide.ts";
import { appendEvents } from "../instances/events.ts";
import type { Operation } from "../operation.ts";
import { leaveKey } from "./concurrency.ts";
import { isolationDenial } from "./isolation.ts";
import { findLease, keepChanged, type LeaseCaller, type LeaseRow, once, whyEnded } from "./live.ts";
import { requeue } from "./requeue.ts";

export interface LeaseTimes {
  state: string;
  expiresAt: number;
  cancelReason: string | null;
}

/** A lease lives on for its usual time, but never far past the end of its task: enough to kill, clean and report. */
function extended(lease: LeaseRow, deadline: number, now: number): number {
  return Math.max(
    lease.expires_at,
    Math.min(now + LIMITS.leaseMs, deadline + LIMITS.killGraceMs + LIMITS.leaseMs),
  );
}

/** `started`: uses up the nonce. A second one with another message id is refused and the first stays. */
export const startLease: Operation<
  LeaseCaller & { messageId: string; nonce: string; sandbox: string | null },
  LeaseTimes
> = (tx, input) => {
  const lease = findLease(tx, input);
  if (lease.state === "started") {
    if (lease.start_message_id !== input.messageId) throw fail("lease_used");
    return { state: lease.state, expiresAt: lease.expires_at, cancelReason: lease.cancel_reason };
  }
  const ended = whyEnded(lease, input.now);
  if (ended !== null) throw ended;
  if (lease.nonce === null || !equalSecret(lease.nonce, input.nonce)) {
    throw fail("identity_mismatch", "the nonce is not the lease's");
  }
  const weak = isolationDenial(tx, lease.requirement, { provider: input.sandbox }, lease.offer);
  if (weak !== null) throw weak;
  if (lease.cancel_reason !== null) throw fail("lease_revoked", lease.cancel_reason);
  if (lease.approval !== null) consumeApproval(tx, lease.approval, input.now);
  const deadline = lease.deadline_at - lease.issued_at + input.now;
  const expiresAt = extended(lease, deadline, input.now);
  // A nonce that is used up is of use to nobody.
  const changed = tx.run(
    `UPDATE /* kept */ lease SET state = 'started', started_at = ?, start_message_id = ?, expires_at = ?, deadline_at = ?, sandbox = ?,
       nonce = NULL WHERE id = ? AND state = 'leased' AND nonce = ?`,
    input.now,
    input.messageId,
    expiresAt,
    deadline,
    input.sandbox,
    lease.id,
    lease.nonce,
  );
  if (changed !== 1) throw fail("lease_used");
  keepChanged(tx, lease.id, {
    state: "started",
    start_message_id: input.messageId,
    expires_at: expiresAt,
    deadline_at: deadline,
    nonce: null,
  });
  appendEvents(tx, lease.instance_id, input.now, [
    {
      event: "step.attempt_started",
      step_id: lease.step_id,
      reference: lease.reference,
      detail: {
        lease_id: lease.id,
        runner_id: lease.runner_id,
        attempt: lease.attempt,
        sandbox: input.sandbox,
      },
    },
  ]);
  return { state: "started", expiresAt, cancelReason: null };
};

/** `renew`: more time, up to the task's end. Not stored by message id: a repeat just renews again. */
export const renewLease: Operation<LeaseCaller, LeaseTimes & { sessionId: string }> = (tx, input) => {
  const lease = findLease(tx, input);
  const ended = whyEnded(lease, input.now);
  if (ended !== null) throw ended;
  const expiresAt =
    lease.state === "started" ? extended(lease, lease.deadline_at, input.now) : lease.expires_at;
  tx.run("UPDATE /* kept */ lease SET expires_at = ? WHERE id = ?", expiresAt, lease.id);
  keepChanged(tx, lease.id, { expires_at: expiresAt });
  return {
    state: lease.state,
    expiresAt,
    cancelReason: lease.cancel_reason,
    sessionId: lease.session_id,
  };
};

/** `progress`: an event of the run, for its watchers. */
export const reportProgress: Operation<
  LeaseCaller & {
    messageId: string;
    progress: { value: number; maximum?: number; unit?: string; message?: string };
  },
  LeaseTimes
> = (tx, input) => {
  const lease = findLease(tx, input);
  return once(tx, lease.id, input.messageId, () => {
    const ended = whyEnded(lease, input.now);
    if (ended !== null) throw ended;
    appendEvents(tx, lease.instance_id, input.now, [
      {
        event: "step.progress",
        step_id: lease.step_id,
        reference: lease.reference,
        detail: { ...input.progress },
      },
    ]);
    return { state: lease.state, expiresAt: lease.expires_at, cancelReason: lease.cancel_reason };
  });
};

/** `reject`: the offer goes back to the queue at once; nothing was started. */
export const rejectLease: Operation<LeaseCaller & { messageId: string; reason: string }, void> = (
  tx,
  input,
) => {
  const lease = findLease(tx, input);
  once(tx, lease.id, input.messageId, () => {
    if (lease.state === "started") throw fail("lease_state_conflict", "the lease was already started");
    const ended = whyEnded(lease, input.now);
    if (ended !== null) throw ended;
    tx.run(
      "UPDATE lease SET state = 'rejected', nonce = NULL, finished_at = ? WHERE id = ?",
      input.now,
      lease.id,
    );
    tx.notify("slot", lease.session_id);
    leaveKey(tx, lease.request_id);
    if (lease.request_state === "leased") requeue(tx, lease, input.reason, input.now);
    return {};
  });
};
