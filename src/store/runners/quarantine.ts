import type { JsonObject } from "../../base/json.ts";
import type { Admission } from "../../protocol/index.ts";
import { appendAudit } from "../audit/append.ts";
import { leaveKey } from "../leases/concurrency.ts";
import { outcomeUnknown } from "../leases/outcome-unknown.ts";
import { requeue } from "../leases/requeue.ts";
import type { Transaction } from "../operation.ts";
import { openOperatorTask } from "../operators/operator-tasks.ts";

export interface Quarantine {
  tenantId: string;
  runnerId: string;
  reason: string;
  facts: JsonObject;
  actor: string;
  now: number;
}

/**
 * Take a runner out, in this order and in one transaction: quarantined, credentials revoked, leases ended by its policy,
 * audit entry, operator task. Only an operator brings it back. @returns false when it was quarantined before
 */
export function quarantine(
  tx: Transaction,
  { tenantId, runnerId, reason, facts, actor, now }: Quarantine,
): boolean {
  const runner = tx.all<{ admission: string; session_id: string | null }>(
    "UPDATE runner SET state = 'quarantined', reason = ? WHERE tenant_id = ? AND runner_id = ? AND state <> 'quarantined' RETURNING admission, session_id",
    reason,
    tenantId,
    runnerId,
  )[0];
  if (runner === undefined) return false;
  let fenced: string[] = [];
  const policy = (JSON.parse(runner.admission) as Admission).onQuarantine ?? "fence";
  if (runner.session_id !== null) {
    tx.run(
      "UPDATE runner_session SET state = 'quarantined', reason = ?, audit_asked_at = NULL WHERE id = ? AND state <> 'closed'",
      reason,
      runner.session_id,
    );
    if (policy === "fence") fenced = fenceLeases(tx, runner.session_id, `quarantined: ${reason}`, actor, now);
    tx.notify("session", runner.session_id);
  }
  appendAudit(tx, {
    tenantId,
    now,
    actor,
    action: "runner.quarantined",
    object: `runner:${runnerId}`,
    body: { reason, ...facts, sessionId: runner.session_id, credentials: "revoked", leases: policy, fenced },
  });
  openOperatorTask(tx, {
    tenantId,
    kind: "runner_quarantined",
    subject: runnerId,
    instanceId: null,
    body: { reason, ...facts, fenced },
    now,
  });
  return true;
}

/** End the live leases of a session: what was started has an unknown outcome, what was not goes back to the queue. */
function fenceLeases(
  tx: Transaction,
  sessionId: string,
  reason: string,
  actor: string,
  now: number,
): string[] {
  const live = tx.all<{
    id: string;
    request_id: string;
    instance_id: string;
    tenant_id: string;
    runner_id: string;
    attempt: number;
    state: string;
  }>(
    "SELECT id, request_id, instance_id, tenant_id, runner_id, attempt, state FROM lease WHERE session_id = ? AND state IN ('leased', 'started')",
    sessionId,
  );
  for (const lease of live) {
    tx.run(
      "UPDATE lease SET state = 'cancelled', nonce = NULL, cancel_reason = ?, finished_at = ? WHERE id = ?",
      reason,
      now,
      lease.id,
    );
    appendAudit(tx, {
      tenantId: lease.tenant_id,
      now,
      actor,
      action: "lease.fenced",
      object: `lease:${lease.id}`,
      body: { runnerId: lease.runner_id, attempt: lease.attempt, reason },
    });
    const request = tx.get<{ step_id: string; reference: string; state: string }>(
      "SELECT step_id, reference, state FROM request WHERE id = ?",
      lease.request_id,
    )!;
    leaveKey(tx, lease.request_id);
    if (lease.state === "started") outcomeUnknown(tx, lease, reason, now);
    else if (request.state === "leased") requeue(tx, { ...lease, ...request }, reason, now, 0);
  }
  return live.map(({ id }) => id);
}
