import { sha256 } from "../../base/canonical.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Query, Transaction } from "../operation.ts";

export interface AuditEntry {
  tenantId: string;
  now: number;
  /** Who: `runner:<id>`, `orchestrator`, `user:<uid>`. */
  actor: string;
  /** What was decided: `lease.issued`, `registration.refused`. */
  action: string;
  object: string;
  body: JsonObject;
}

export interface AuditRow {
  seq: number;
  ts: number;
  actor: string;
  action: string;
  object: string;
  body: JsonObject;
  previous_hash: string;
  hash: string;
}

interface StoredAudit extends Omit<AuditRow, "body"> {
  body: string;
}

/** Over the row as it is stored, and the hash before it. */
const hashOf = (row: Omit<StoredAudit, "hash">): string =>
  sha256(JSON.stringify([row.previous_hash, row.seq, row.ts, row.actor, row.action, row.object, row.body]));

interface ChainEnd {
  seq: number;
  hash: string;
}

function chainEnd(tx: Transaction, tenantId: string): ChainEnd {
  return (
    tx.get<ChainEnd>(
      "SELECT seq, hash FROM audit WHERE tenant_id = ? ORDER BY seq DESC LIMIT 1",
      tenantId,
    ) ?? { seq: 0, hash: "" }
  );
}

/** Append one decision to the tenant's chain: each row's hash covers the row and the hash before it. */
export function appendAudit(tx: Transaction, entry: AuditEntry): void {
  const key = `audit ${entry.tenantId}`;
  const end = tx.recall<ChainEnd>(key) ?? chainEnd(tx, entry.tenantId);
  const row = {
    seq: end.seq + 1,
    ts: entry.now,
    actor: entry.actor,
    action: entry.action,
    object: entry.object,
    body: JSON.stringify(entry.body),
    previous_hash: end.hash,
  };
  const hash = hashOf(row);
  tx.run(
    "INSERT INTO audit (tenant_id, seq, ts, actor, action, object, body, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    entry.tenantId,
    row.seq,
    row.ts,
    row.actor,
    row.action,
    row.object,
    row.body,
    row.previous_hash,
    hash,
  );
  tx.remember(key, { seq: row.seq, hash });
}

function readAudit(
  tx: Pick<Transaction, "all">,
  tenantId: string,
  after: number,
  limit: number,
): StoredAudit[] {
  return tx.all<StoredAudit>(
    "SELECT seq, ts, actor, action, object, body, previous_hash, hash FROM audit WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?",
    tenantId,
    after,
    limit,
  );
}

export const listAudit: Query<{ tenantId: string; after: number; limit: number }, AuditRow[]> = (tx, input) =>
  readAudit(tx, input.tenantId, input.after, input.limit).map((row) => ({
    ...row,
    body: JSON.parse(row.body) as JsonObject,
  }));

/** The first row whose hash or link does not fit, or null when the chain holds. */
export const verifyAudit: Query<{ tenantId: string }, { rows: number; brokenAt: number | null }> = (
  tx,
  { tenantId },
) => {
  let previous = "";
  let expected = 1;
  for (;;) {
    const rows = readAudit(tx, tenantId, expected - 1, 1000);
    if (rows.length === 0) return { rows: expected - 1, brokenAt: null };
    for (const { hash, ...row } of rows) {
      if (row.seq !== expected || row.previous_hash !== previous || hashOf(row) !== hash) {
        return { rows: expected - 1, brokenAt: expected };
      }
      previous = hash;
      expected++;
    }
  }
};
