import type { Operation, Query } from "../operation.ts";
import { appendAudit } from "./append.ts";

/** The last entry that is older than `before`, as far as all up to it are; null for none. */
export const prunableThrough: Query<
  { tenantId: string; before: number },
  { seq: number; hash: string } | null
> = (tx, { tenantId, before }) => {
  const first = tx.get<{ seq: number | null }>(
    "SELECT min(seq) AS seq FROM audit WHERE tenant_id = ? AND ts >= ?",
    tenantId,
    before,
  )!.seq;
  return (
    tx.get<{ seq: number; hash: string }>(
      "SELECT seq, hash FROM audit WHERE tenant_id = ? AND seq < ? ORDER BY seq DESC LIMIT 1",
      tenantId,
      first ?? Number.MAX_SAFE_INTEGER,
    ) ?? null
  );
};

const BATCH = 5_000;

/** Note that an artifact holds entries up to a number: no retention ends it. */
export const keepAuditExport: Operation<{ tenantId: string; through: number; artifact: string }, void> = (
  tx,
  { tenantId, through, artifact },
) => {
  tx.run(
    "INSERT INTO audit_archive (sha256, tenant_id, through) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    artifact,
    tenantId,
    through,
  );
};

/**
 * Remove entries that an artifact holds, up to a number; the chain's start moves with them, so that what is left still
 * verifies. The last call notes it. @returns whether all are gone
 */
export const pruneAudit: Operation<
  { tenantId: string; through: number; artifact: string; actor: string; now: number },
  boolean
> = (tx, { tenantId, through, artifact, actor, now }) => {
  const batch = tx.all<{ seq: number; hash: string }>(
    "SELECT seq, hash FROM audit WHERE tenant_id = ? AND seq <= ? ORDER BY seq LIMIT ?",
    tenantId,
    through,
    BATCH,
  );
  const last = batch.at(-1);
  if (last !== undefined) {
    // From the first entry that goes, its bytes are all there is of it.
    keepAuditExport(tx, { tenantId, through, artifact });
    tx.run(
      "UPDATE audit_chain SET start_seq = ?, start_hash = ? WHERE tenant_id = ?",
      last.seq,
      last.hash,
      tenantId,
    );
    tx.run("DELETE FROM audit WHERE tenant_id = ? AND seq <= ?", tenantId, last.seq);
  }
  const done = batch.length < BATCH || last!.seq === through;
  if (done) {
    appendAudit(tx, {
      tenantId,
      now,
      actor,
      action: "audit.pruned",
      object: `audit:${tenantId}`,
      body: { through, artifactRefs: [artifact] },
    });
  }
  return done;
};
