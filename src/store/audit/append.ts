import { canonicalJson, sha256 } from "../../base/canonical.ts";
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

const hashOf = (entry: Omit<AuditRow, "hash">): string => sha256(canonicalJson(entry));

/** Append one decision to the tenant's chain: each row's hash covers the row and the hash before it. */
export function appendAudit(tx: Transaction, entry: AuditEntry): void {
  const last = tx.get<{ seq: number; hash: string }>(
    "SELECT seq, hash FROM audit WHERE tenant_id = ? ORDER BY seq DESC LIMIT 1",
    entry.tenantId,
  );
  const row = {
    seq: (last?.seq ?? 0) + 1,
    ts: entry.now,
    actor: entry.actor,
    action: entry.action,
    object: entry.object,
    body: entry.body,
    previous_hash: last?.hash ?? "",
  };
  tx.run(
    "INSERT INTO audit (tenant_id, seq, ts, actor, action, object, body, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    entry.tenantId,
    row.seq,
    row.ts,
    row.actor,
    row.action,
    row.object,
    JSON.stringify(row.body),
    row.previous_hash,
    hashOf(row),
  );
}

export const listAudit: Query<{ tenantId: string; after: number; limit: number }, AuditRow[]> = (tx, input) =>
  tx
    .all<Omit<AuditRow, "body"> & { body: string }>(
      "SELECT seq, ts, actor, action, object, body, previous_hash, hash FROM audit WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?",
      input.tenantId,
      input.after,
      input.limit,
    )
    .map((row) => ({ ...row, body: JSON.parse(row.body) as JsonObject }));

/** The first row whose hash or link does not fit, or null when the chain holds. */
export const verifyAudit: Query<{ tenantId: string }, { rows: number; brokenAt: number | null }> = (
  tx,
  { tenantId },
) => {
  let previous = "";
  let expected = 1;
  for (;;) {
    const rows = listAudit(tx, { tenantId, after: expected - 1, limit: 1000 });
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
