import type { Transaction } from "../operation.ts";

/** At most `limit` tasks that share the key are in the queue or with a runner at a time; the others are parked. */
export interface ConcurrencyClaim {
  readonly key: string;
  readonly limit: number;
}

/** Whether the key has room, which is then taken. Keyed tasks that wait for it stay out of the queue, so that no claim has to look past them. */
export function takeKey(
  tx: Transaction,
  tenantId: string,
  requestId: string,
  { key, limit }: ConcurrencyClaim,
): boolean {
  const { held } = tx.get<{ held: number }>(
    "SELECT count(*) AS held FROM concurrency_hold WHERE tenant_id = ? AND key = ?",
    tenantId,
    key,
  )!;
  if (held >= limit) return false;
  tx.run(
    "INSERT INTO concurrency_hold (tenant_id, key, request_id) VALUES (?, ?, ?)",
    tenantId,
    key,
    requestId,
  );
  return true;
}

/** A lease of the request has ended without a result: a task that was cancelled meanwhile held its key until now. */
export function leaveKey(tx: Transaction, requestId: string): void {
  const request = tx.get<{ id: string; tenant_id: string; state: string; concurrency_key: string | null }>(
    "SELECT id, tenant_id, state, concurrency_key FROM request WHERE id = ?",
    requestId,
  )!;
  if (request.state === "cancelled") releaseKey(tx, request);
}

/** A task no longer holds its key, if it had one: whoever waits for it comes in by priority and age. */
export function releaseKey(
  tx: Transaction,
  request: { id: string; tenant_id: string; concurrency_key: string | null },
): void {
  const { tenant_id: tenantId, concurrency_key: key } = request;
  if (key === null) return;
  tx.run(
    "DELETE FROM concurrency_hold WHERE tenant_id = ? AND key = ? AND request_id = ?",
    tenantId,
    key,
    request.id,
  );
  for (;;) {
    const next = tx.get<{ id: string; concurrency_limit: number }>(
      `SELECT id, concurrency_limit FROM request WHERE tenant_id = ? AND concurrency_key = ? AND state = 'parked'
       ORDER BY priority DESC, created_at, id LIMIT 1`,
      tenantId,
      key,
    );
    if (next === undefined || !takeKey(tx, tenantId, next.id, { key, limit: next.concurrency_limit })) return;
    tx.run("UPDATE request SET state = 'pending' WHERE id = ?", next.id);
    tx.notify("request", next.id);
  }
}
