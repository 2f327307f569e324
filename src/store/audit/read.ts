import { CHAIN_START, type ChainEnd, type ChainRow, follow } from "../../audit/chain.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Query, Transaction } from "../operation.ts";

export interface AuditRow extends Omit<ChainRow, "body"> {
  body: JsonObject;
}

const COLUMNS = "seq, ts, actor, action, object, body, previous_hash, hash";

export interface ChainPage {
  tenantId: string;
  after: number;
  limit: number;
}

/** Entries as they are stored and hashed, in order. */
export const readChain: Query<ChainPage, ChainRow[]> = (tx, { tenantId, after, limit }) =>
  tx.all<ChainRow>(
    `SELECT ${COLUMNS} FROM audit WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
    tenantId,
    after,
    limit,
  );

const parsed = (row: ChainRow): AuditRow => ({ ...row, body: JSON.parse(row.body) as JsonObject });

export const listAudit: Query<ChainPage, AuditRow[]> = (tx, page) => readChain(tx, page).map(parsed);

export interface AuditFilter {
  tenantId: string;
  /** Entries after this number, oldest first; null: the last ones there are. */
  after: number | null;
  limit: number;
  actor: string | null;
  action: string | null;
  object: string | null;
}

/** Entries that fit, oldest first. At most 100,000 are looked at for one answer. */
export const findAudit: Query<AuditFilter, AuditRow[]> = (tx, filter) => {
  const { tenantId, after, limit, actor, action, object } = filter;
  const order = after === null ? "DESC" : "ASC";
  const rows = tx.all<ChainRow>(
    `SELECT * FROM (SELECT ${COLUMNS} FROM audit WHERE tenant_id = ? AND seq > ? ORDER BY seq ${order} LIMIT 100000)
     WHERE (?3 IS NULL OR actor = ?3) AND (?4 IS NULL OR action = ?4 OR action LIKE ?4 || '.%') AND (?5 IS NULL OR object = ?5) LIMIT ?6`,
    tenantId,
    after ?? 0,
    actor,
    action,
    object,
    limit,
  );
  return (after === null ? rows.reverse() : rows).map(parsed);
};

/** Where the rows that are kept begin, and where the chain was noted to end. */
export const chainOf: Query<{ tenantId: string }, { start: ChainEnd; end: ChainEnd }> = (
  tx,
  { tenantId },
) => {
  const row = tx.get<{ start_seq: number; start_hash: string; end_seq: number; end_hash: string }>(
    "SELECT start_seq, start_hash, end_seq, end_hash FROM audit_chain WHERE tenant_id = ?",
    tenantId,
  );
  if (row === undefined) return { start: CHAIN_START, end: CHAIN_START };
  return {
    start: { seq: row.start_seq, hash: row.start_hash },
    end: { seq: row.end_seq, hash: row.end_hash },
  };
};

/** All tenants that have a chain. */
export const auditTenants: Query<null, string[]> = (tx) =>
  tx
    .all<{ tenant_id: string }>("SELECT tenant_id FROM audit_chain UNION SELECT tenant_id FROM audit")
    .map(({ tenant_id }) => tenant_id);

/** The number of the first entry that is changed, missing or out of place, or null when the chain holds to its end. */
export const verifyAudit: Query<{ tenantId: string }, { rows: number; brokenAt: number | null }> = (
  tx: Pick<Transaction, "all" | "get">,
  { tenantId },
) => {
  const chain = chainOf(tx, { tenantId });
  let end = chain.start;
  for (;;) {
    const rows = readChain(tx, { tenantId, after: end.seq, limit: 1000 });
    if (rows.length === 0) break;
    const next = follow(end, rows);
    end = next.end;
    if (next.brokenAt !== null) return { rows: end.seq - chain.start.seq, brokenAt: next.brokenAt };
  }
  const whole = end.seq === chain.end.seq && end.hash === chain.end.hash;
  return { rows: end.seq - chain.start.seq, brokenAt: whole ? null : end.seq + 1 };
};
