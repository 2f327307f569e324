import { releaseKey, takeKeys } from "../leases/concurrency.ts";
import type { Transaction } from "../operation.ts";
import type { InstanceRow, QueuedRequest, RunEffect } from "./engine-port.ts";

/** @param approval under which it is queued; a request of the same task that was of an older one is that one's successor */
export function insertRequest(
  tx: Transaction,
  row: InstanceRow,
  effect: RunEffect,
  request: QueuedRequest,
  now: number,
  approval: string | null = null,
): void {
  if (approval !== null && queuedAgain(tx, row, effect, request, now, approval)) return;
  const bound =
    request.workspaceKey === null
      ? undefined
      : tx.get<{ runner_id: string }>(
          "SELECT runner_id FROM workspace WHERE instance_id = ? AND key = ?",
          row.id,
          request.workspaceKey,
        );
  // A session workspace lives on one machine: later steps of the session go to the runner that has it.
  const body = JSON.stringify(
    bound === undefined ? request.requirement : { ...request.requirement, runnerId: bound.runner_id },
  );
  const requirement = requirementId(tx, row.tenant_id, body, bound?.runner_id ?? null);
  const { concurrency } = request;
  const full = takeKeys(tx, row.tenant_id, request.id, concurrency);
  tx.run(
    `INSERT INTO /* kept */ request (id, tenant_id, instance_id, effect_id, step_id, reference, requirement, policy_digest, payload,
       template, approval, retention, repeatable, priority, state, concurrency, concurrency_key, attempts, not_before, expires_at,
       created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
    request.id,
    row.tenant_id,
    row.id,
    effect.id,
    effect.step_id,
    effect.reference,
    requirement,
    row.policy_digest,
    JSON.stringify(request.payload),
    (request.payload["commandTemplateId"] as string | undefined) ?? null,
    approval,
    request.retention === undefined ? null : JSON.stringify(request.retention),
    request.repeatable ? 1 : 0,
    request.priority,
    full === null ? "pending" : "parked",
    concurrency.length === 0 ? null : JSON.stringify(concurrency),
    full ?? concurrency[0]?.key ?? null,
    now,
    request.expiresAt,
    now,
  );
  tx.notify("request", request.id);
}

/** A task whose attempt had an unknown outcome is queued again, under the approval that was given for that. */
function queuedAgain(
  tx: Transaction,
  row: InstanceRow,
  effect: RunEffect,
  request: QueuedRequest,
  now: number,
  approval: string,
): boolean {
  const again = tx.all<{ id: string }>(
    `UPDATE request SET state = 'pending', approval = ?, payload = ?, not_before = ?, expires_at = ?, diagnostic = NULL
     WHERE instance_id = ? AND effect_id = ? AND state = 'unknown' RETURNING id`,
    approval,
    JSON.stringify(request.payload),
    now,
    request.expiresAt,
    row.id,
    effect.id,
  )[0];
  if (again !== undefined) tx.notify("request", again.id);
  return again !== undefined;
}

/** The queue's partition of tasks that ask the same of a runner. */
function requirementId(tx: Transaction, tenantId: string, body: string, runnerId: string | null): number {
  // Partitions are never removed, so what was seen once need not be asked for again.
  const key = `requirement ${tenantId} ${body}`;
  const recalled = tx.recall<number>(key);
  if (recalled !== undefined) return recalled;
  const known = tx.get<{ id: number }>(
    "SELECT id FROM requirement WHERE tenant_id = ? AND body = ?",
    tenantId,
    body,
  );
  const { id } =
    known ??
    tx.get<{ id: number }>(
      "INSERT INTO requirement (tenant_id, body, runner_id) VALUES (?, ?, ?) RETURNING id",
      tenantId,
      body,
      runnerId,
    )!;
  tx.remember(key, id);
  return id;
}

/** A request that waits is taken back, a live lease of it is told to stop. */
export function cancelRequest(tx: Transaction, instanceId: string, effectId: string, now: number): void {
  const request = tx.get<{ id: string; tenant_id: string; state: string; concurrency_key: string | null }>(
    "SELECT id, tenant_id, state, concurrency_key FROM request WHERE instance_id = ? AND effect_id = ?",
    instanceId,
    effectId,
  );
  if (request === undefined || request.state === "satisfied") return;
  tx.run("UPDATE request SET state = 'cancelled' WHERE id = ?", request.id);
  const live = tx.all<{ id: string; session_id: string }>(
    "UPDATE lease SET cancel_reason = 'the step was cancelled' WHERE request_id = ? AND state IN ('leased', 'started') RETURNING id, session_id",
    request.id,
  );
  for (const lease of live) tx.notify("session", lease.session_id);
  // A command that is still running keeps its key until its lease has ended.
  if (live.length === 0) releaseKey(tx, request);
  if (request.state === "unknown") {
    tx.run(
      "UPDATE operator_task SET state = 'resolved', resolution = 'the run was cancelled', resolved_at = ? WHERE kind = 'outcome_unknown' AND subject = ? AND state = 'open'",
      now,
      request.id,
    );
  }
}
