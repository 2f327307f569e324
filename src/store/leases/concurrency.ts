import type { Transaction } from "../operation.ts";

/** At most `limit` tasks that share the key are in the queue or with a runner at a time; the others are parked. */
export interface ConcurrencyClaim {
  readonly key: string;
  readonly limit: number;
}

const hasRoom = (tx: Transaction, tenantId: string, { key, limit }: ConcurrencyClaim): boolean =>
  tx.get<{ held: number }>(
    "SELECT count(*) AS held FROM concurrency_hold WHERE tenant_id = ? AND key = ?",
    tenantId,
    key,
  )!.held < limit;

/**
 * Take all keys of a task, or none: whoever waits holds nothing. Tasks that wait for a key stay out of the queue, so that
 * no claim has to look past them.
 * @returns null when they were taken, else the first key without room
 */
export function takeKeys(
  tx: Transaction,
  tenantId: string,
  requestId: string,
  claims: readonly ConcurrencyClaim[],
): string | null {
  const full = claims.find((claim) => !hasRoom(tx, tenantId, claim));
  if (full !== undefined) return full.key;
  for (const { key } of claims) {
    tx.run(
      "INSERT INTO concurrency_hold (tenant_id, key, request_id) VALUES (?, ?, ?)",
      tenantId,
      key,
      requestId,
    );
  }
  return null;
}

/** A lease of the request has ended without a result: a task that was cancelled meanwhile held its keys until now. */
export function leaveKey(tx: Transaction, requestId: string): void {
  const request = tx.get<{ id: string; tenant_id: string; state: string; concurrency_key: string | null }>(
    "SELECT id, tenant_id, state, concurrency_key FROM request WHERE id = ?",
    requestId,
  )!;
  if (request.state === "cancelled") releaseKey(tx, request);
}

/** A task no longer holds its keys, if it had any: whoever waits for one comes in by priority and age. */
export function releaseKey(
  tx: Transaction,
  request: { id: string; tenant_id: string; concurrency_key: string | null },
): void {
  if (request.concurrency_key === null) return;
  const { tenant_id: tenantId } = request;
  for (const { key } of claimsOf(tx, request.id)) {
    const held = tx.run(
      "DELETE FROM concurrency_hold WHERE tenant_id = ? AND key = ? AND request_id = ?",
      tenantId,
      key,
      request.id,
    );
    if (held > 0) admitWaiting(tx, tenantId, key);
  }
}

function admitWaiting(tx: Transaction, tenantId: string, key: string): void {
  for (;;) {
    const next = tx.get<{ id: string }>(
      `SELECT id FROM request WHERE tenant_id = ? AND concurrency_key = ? AND state = 'parked'
       ORDER BY priority DESC, created_at, id LIMIT 1`,
      tenantId,
      key,
    );
    if (next === undefined) return;
    const claims = claimsOf(tx, next.id);
    // The key itself is looked at first: only who finds room in it goes on to wait for another.
    const own = claims.find((claim) => claim.key === key)!;
    if (!hasRoom(tx, tenantId, own)) return;
    const full = takeKeys(tx, tenantId, next.id, claims);
    if (full !== null) {
      tx.run("UPDATE request SET concurrency_key = ? WHERE id = ?", full, next.id);
      continue;
    }
    tx.run("UPDATE request SET state = 'pending' WHERE id = ?", next.id);
    tx.notify("request", next.id);
  }
}

const claimsOf = (tx: Transaction, requestId: string): ConcurrencyClaim[] =>
  JSON.parse(
    tx.get<{ concurrency: string | null }>("SELECT concurrency FROM request WHERE id = ?", requestId)
      ?.concurrency ?? "[]",
  ) as ConcurrencyClaim[];
