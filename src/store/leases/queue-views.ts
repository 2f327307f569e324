import type { Query, Transaction } from "../operation.ts";

type Reader = Pick<Transaction, "all" | "get">;

/** One task that is not done, as operators see the queue. */
export interface QueuedTask {
  request_id: string;
  run_id: string;
  step_id: string;
  reference: string;
  state: string;
  priority: number;
  attempts: number;
  concurrency_key: string | null;
  requirement: string;
  diagnostic: string | null;
  not_before: number;
  expires_at: number;
  created_at: number;
}

const TASK = `SELECT request.id AS request_id, instance.run_id, request.step_id, request.reference, request.state, request.priority,
    request.attempts, request.concurrency_key, requirement.body AS requirement, request.diagnostic, request.not_before,
    request.expires_at, request.created_at
  FROM request JOIN requirement ON requirement.id = request.requirement JOIN instance ON instance.id = request.instance_id`;

export interface QueueView {
  /** How many tasks wait, by what they ask of a runner. */
  partitions: { requirement: string; waiting: number }[];
  tasks: QueuedTask[];
}

/** What waits for a runner: the next tasks of each partition, then those that wait for their key. */
export const viewQueue: Query<{ tenantId: string; limit: number }, QueueView> = (tx, { tenantId, limit }) => {
  const partitions = tx.all<{ id: number; requirement: string; waiting: number }>(
    `SELECT * FROM (SELECT id, body AS requirement,
       (SELECT count(*) FROM request WHERE request.requirement = requirement.id AND request.state = 'pending') AS waiting
     FROM requirement WHERE tenant_id = ?) WHERE waiting > 0`,
    tenantId,
  );
  const tasks: QueuedTask[] = [];
  for (const { id } of partitions) {
    tasks.push(
      ...tx.all<QueuedTask>(
        `${TASK} WHERE request.requirement = ? AND request.state = 'pending' ORDER BY request.priority DESC, request.created_at, request.id LIMIT ?`,
        id,
        limit,
      ),
    );
  }
  tasks.sort((a, b) => b.priority - a.priority || a.created_at - b.created_at);
  const parked = tx.all<QueuedTask>(
    `${TASK} WHERE request.tenant_id = ? AND request.state = 'parked' ORDER BY request.concurrency_key, request.priority DESC, request.created_at LIMIT ?`,
    tenantId,
    limit,
  );
  return {
    partitions: partitions.map(({ requirement, waiting }) => ({ requirement, waiting })),
    tasks: [...tasks, ...parked].slice(0, limit),
  };
};

export interface LeaseView {
  lease_id: string;
  run_id: string;
  step_id: string;
  attempt: number;
  fence: number;
  runner_id: string;
  state: string;
  sandbox: string | null;
  cancel_reason: string | null;
  issued_at: number;
  started_at: number | null;
  expires_at: number;
  deadline_at: number;
}

/** Leases that are out, the next to expire first. */
export const viewLeases: Query<{ tenantId: string; limit: number }, LeaseView[]> = (tx, input) =>
  tx.all<LeaseView>(
    `SELECT lease.id AS lease_id, instance.run_id, request.step_id, lease.attempt, lease.fence, lease.runner_id, lease.state,
       lease.sandbox, lease.cancel_reason, lease.issued_at, lease.started_at, lease.expires_at, lease.deadline_at
     FROM lease JOIN request ON request.id = lease.request_id JOIN instance ON instance.id = lease.instance_id
     WHERE lease.state IN ('leased', 'started') AND lease.tenant_id = ? ORDER BY lease.expires_at LIMIT ?`,
    input.tenantId,
    input.limit,
  );

/**
 * The tasks that a name means: a request, a lease, `run` or `run/step`. Another tenant's are not found.
 */
export function findTasks(
  tx: Reader,
  tenantId: string,
  name: string,
): (QueuedTask & { requirement_id: number })[] {
  const columns = TASK.replace("SELECT ", "SELECT request.requirement AS requirement_id, ");
  type Row = QueuedTask & { requirement_id: number };
  const direct = tx.all<Row>(
    `${columns} WHERE request.tenant_id = ? AND request.id IN (?, (SELECT request_id FROM lease WHERE id = ?))`,
    tenantId,
    name,
    name,
  );
  if (direct.length > 0) return direct;
  const slash = name.indexOf("/");
  const [run, step] = slash < 0 ? [name, null] : [name.slice(0, slash), name.slice(slash + 1)];
  return tx.all<Row>(
    `${columns} WHERE request.instance_id = (SELECT id FROM instance WHERE tenant_id = ? AND run_id = ?)
       AND (? IS NULL OR request.step_id = ? OR request.reference = ?) ORDER BY request.created_at, request.id`,
    tenantId,
    run,
    step,
    step,
    `/${step}`,
  );
}
