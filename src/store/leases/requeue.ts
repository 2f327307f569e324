import { appendEvents } from "../instances/events.ts";
import type { Transaction } from "../operation.ts";

const FIRST_MS = 250;
const LONGEST_MS = 60_000;

/**
 * How long a request waits before its next attempt: doubling, so that a broken host is not asked without pause, and up
 * to a quarter longer by the lease's own random digits, so that what failed together does not come back together.
 */
export function backoff(attempt: number, leaseId: string): number {
  const spread = Number.parseInt(leaseId.slice(-4), 16) / 0xffff;
  return Math.round(Math.min(FIRST_MS * 2 ** (attempt - 1), LONGEST_MS) * (1 + spread / 4));
}

/** Put the task of an attempt that did nothing, or that may be repeated, back into the queue. */
export function requeue(
  tx: Transaction,
  lease: {
    id: string;
    request_id: string;
    instance_id: string;
    runner_id: string;
    attempt: number;
    step_id: string;
    reference: string;
  },
  reason: string,
  now: number,
  waitMs = backoff(lease.attempt, lease.id),
): void {
  tx.run(
    "UPDATE request SET state = 'pending', not_before = ?, diagnostic = ? WHERE id = ?",
    now + waitMs,
    reason,
    lease.request_id,
  );
  appendEvents(tx, lease.instance_id, now, [
    {
      event: "step.requeued",
      step_id: lease.step_id,
      reference: lease.reference,
      detail: { lease_id: lease.id, runner_id: lease.runner_id, attempt: lease.attempt, reason },
    },
  ]);
  tx.notify("request", lease.request_id);
}
