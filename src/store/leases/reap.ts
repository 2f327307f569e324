import { LIMITS } from "../../base/limits.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query } from "../operation.ts";
import { leaveKey } from "./concurrency.ts";
import { outcomeUnknown } from "./outcome-unknown.ts";
import { requeue } from "./requeue.ts";

interface Late {
  id: string;
  request_id: string;
  instance_id: string;
  tenant_id: string;
  runner_id: string;
  session_id: string;
  attempt: number;
  state: string;
  step_id: string;
  reference: string;
  request_state: string;
}

/**
 * Leases past their time by the server's clock. One that was never started goes back to the queue; one that was
 * started has an unknown outcome and is never run again by itself unless its step is repeatable.
 */
export const reapLeases: Operation<{ now: number; limit: number }, number> = (tx, { now, limit }) => {
  // No lease is ever given more than its usual time from now: one that has more is from before the clock went back.
  tx.run(
    "UPDATE lease SET expires_at = ? WHERE state IN ('leased', 'started') AND expires_at > ?",
    now + LIMITS.leaseMs,
    now + LIMITS.leaseMs,
  );
  const late = tx.all<Late>(
    `SELECT lease.id, lease.request_id, lease.instance_id, lease.tenant_id, lease.runner_id, lease.session_id, lease.attempt, lease.state,
       request.step_id, request.reference, request.state AS request_state
     FROM lease JOIN request ON request.id = lease.request_id
     WHERE lease.state IN ('leased', 'started') AND lease.expires_at <= ? ORDER BY lease.expires_at LIMIT ?`,
    now,
    limit,
  );
  for (const lease of late) {
    const started = lease.state === "started";
    tx.run(
      "UPDATE lease SET state = ?, nonce = NULL, finished_at = ? WHERE id = ?",
      started ? "unknown" : "expired",
      now,
      lease.id,
    );
    appendAudit(tx, {
      tenantId: lease.tenant_id,
      now,
      actor: "controller",
      action: started ? "lease.lost" : "lease.expired",
      object: `lease:${lease.id}`,
      body: { runnerId: lease.runner_id, attempt: lease.attempt },
    });
    tx.notify("slot", lease.session_id);
    leaveKey(tx, lease.request_id);
    if (started) {
      outcomeUnknown(tx, lease, "the lease ran out after the task was started", now);
    } else if (lease.request_state === "leased") {
      requeue(tx, lease, "the lease ran out before the task was started", now);
    }
  }
  return late.length;
};

/** Whether a live lease has run out, or has more time left than any may have. */
export const hasLateLeases: Query<{ now: number }, boolean> = (tx, { now }) => {
  const { first, last } = tx.get<{ first: number | null; last: number | null }>(
    "SELECT min(expires_at) AS first, max(expires_at) AS last FROM lease WHERE state IN ('leased', 'started')",
  )!;
  return first !== null && (first <= now || last! > now + LIMITS.leaseMs);
};
