import { fail } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { queueWebhooks } from "../webhooks/queue.ts";

export interface OperatorTask {
  id: string;
  kind: string;
  subject: string;
  instance_id: string | null;
  body: JsonObject;
  state: "open" | "resolved";
  resolution: string | null;
  created_at: number;
}

/** Open a task for an operator; one that is open for the same subject stays the only one. */
export function openOperatorTask(
  tx: Transaction,
  task: {
    tenantId: string;
    kind: string;
    subject: string;
    instanceId: string | null;
    body: JsonObject;
    now: number;
  },
): string {
  const open = tx.get<{ id: string }>(
    "SELECT id FROM operator_task WHERE tenant_id = ? AND kind = ? AND subject = ? AND state = 'open'",
    task.tenantId,
    task.kind,
    task.subject,
  );
  if (open !== undefined) return open.id;
  const id = newId();
  tx.run(
    "INSERT INTO operator_task (id, tenant_id, kind, subject, instance_id, body, state, created_at) VALUES (?, ?, ?, ?, ?, ?, 'open', ?)",
    id,
    task.tenantId,
    task.kind,
    task.subject,
    task.instanceId,
    JSON.stringify(task.body),
    task.now,
  );
  const event = task.kind === "ask" ? "ask" : /approval/.test(task.kind) ? "approval" : null;
  if (event !== null) {
    const data = { task_id: id, kind: task.kind, run_id: task.body["run_id"] ?? null };
    queueWebhooks(tx, { tenantId: task.tenantId, event, data, now: task.now });
  }
  return id;
}

export const listOperatorTasks: Query<{ tenantId: string; all: boolean }, OperatorTask[]> = (
  tx,
  { tenantId, all },
) =>
  tx
    .all<Omit<OperatorTask, "body"> & { body: string }>(
      `SELECT id, kind, subject, instance_id, body, state, resolution, created_at FROM operator_task
       WHERE tenant_id = ? AND (state = 'open' OR ?) ORDER BY id`,
      tenantId,
      all ? 1 : 0,
    )
    .map((row) => ({ ...row, body: JSON.parse(row.body) as JsonObject }));

/** Close the open task of a subject, when there is one. @returns whether there was */
export function resolveOperatorTasks(
  tx: Transaction,
  task: { tenantId: string; kind: string; subject: string; resolution: string; now: number },
): boolean {
  const changed = tx.run(
    "UPDATE operator_task SET state = 'resolved', resolution = ?, resolved_at = ? WHERE tenant_id = ? AND kind = ? AND subject = ? AND state = 'open'",
    task.resolution,
    task.now,
    task.tenantId,
    task.kind,
    task.subject,
  );
  return changed > 0;
}
/** One task with all that is known. @throws Failure `not_found` */
export const readOperatorTask: Query<{ tenantId: string; taskId: string }, OperatorTask> = (
  tx,
  { tenantId, taskId },
) => {
  const row = tx.get<Omit<OperatorTask, "body"> & { body: string }>(
    `SELECT id, kind, subject, instance_id, body, state, resolution, created_at FROM operator_task WHERE tenant_id = ? AND id = ?`,
    tenantId,
    taskId,
  );
  if (row === undefined) {
    throw fail("not_found", `not found: operator task ${taskId}`, {
      hint: "`lightflow inbox list` shows them",
    });
  }
  return { ...row, body: JSON.parse(row.body) as JsonObject };
};

/** Close a task that nothing waits for but a person. @throws Failure `not_found`, `conflict` when it is closed */
export const resolveOperatorTask: Operation<
  { tenantId: string; taskId: string; resolution: string; actor: string; now: number },
  void
> = (tx, input) => {
  const task = readOperatorTask(tx, input);
  if (task.state !== "open")
    throw fail("conflict", `operator task ${task.id} was resolved: ${task.resolution}`);
  tx.run(
    "UPDATE operator_task SET state = 'resolved', resolution = ?, resolved_at = ? WHERE id = ?",
    `${input.resolution} (${input.actor})`,
    input.now,
    task.id,
  );
  appendAudit(tx, {
    tenantId: input.tenantId,
    now: input.now,
    actor: input.actor,
    action: "operator_task.resolved",
    object: `operator_task:${task.id}`,
    body: { kind: task.kind, subject: task.subject, resolution: input.resolution },
  });
};
