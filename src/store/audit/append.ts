import { CHAIN_START, type ChainEnd, hashOf } from "../../audit/chain.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Transaction } from "../operation.ts";

export interface AuditEntry {
  tenantId: string;
  now: number;
  /** Who: `runner:<id>`, `orchestrator`, `user:<uid>`. */
  actor: string;
  /** What was decided: `lease.issued`, `message.refused`. */
  action: string;
  object: string;
  /** Why, under which policy and template, with which artifacts and approvals: what applies. */
  body: JsonObject;
}

/** Append one decision to the tenant's chain: each row's hash covers the row and the hash before it. */
export function appendAudit(tx: Transaction, entry: AuditEntry): void {
  const key = `audit ${entry.tenantId}`;
  const end = tx.recall<ChainEnd>(key) ?? readEnd(tx, entry.tenantId);
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
  tx.beforeCommit(key, (last) => writeEnd(last, entry.tenantId));
}

/** The end as the rows have it; the chain's own note of it is for `verify` alone. */
function readEnd(tx: Pick<Transaction, "get">, tenantId: string): ChainEnd {
  return (
    tx.get<ChainEnd>("SELECT seq, hash FROM audit WHERE tenant_id = ? ORDER BY seq DESC LIMIT 1", tenantId) ??
    tx.get<ChainEnd>(
      "SELECT start_seq AS seq, start_hash AS hash FROM audit_chain WHERE tenant_id = ?",
      tenantId,
    ) ??
    CHAIN_START
  );
}

/** Note where the chain ends, once a transaction: a row that is cut off its end is missed too. */
function writeEnd(tx: Transaction, tenantId: string): void {
  const end = tx.recall<ChainEnd>(`audit ${tenantId}`) ?? readEnd(tx, tenantId);
  if (end.seq === 0) return;
  tx.run(
    `INSERT INTO audit_chain (tenant_id, start_seq, start_hash, end_seq, end_hash) VALUES (?, 0, '', ?, ?)
     ON CONFLICT (tenant_id) DO UPDATE SET end_seq = excluded.end_seq, end_hash = excluded.end_hash`,
    tenantId,
    end.seq,
    end.hash,
  );
}
