import { giveUp } from "../artifacts/expire.ts";
import { isWanted } from "../artifacts/over.ts";
import type { Operation, Query, Transaction } from "../operation.ts";

export interface PruneFilter {
  tenantId: string;
  workflow: string | null;
  statuses: readonly string[] | null;
  endedBefore: number | null;
  /** How many of the newest that match stay. */
  keep: number;
}

export interface Prunable {
  id: string;
  run_id: string;
  /** Whether a legal hold keeps it. */
  held: boolean;
}

/** Ended runs that a filter would remove, oldest first. Runs that another one still waits for stay. */
export const prunable: Query<PruneFilter & { limit: number }, Prunable[]> = (tx, filter) =>
  tx
    .all<{ id: string; run_id: string; status: string }>(
      `SELECT id, run_id, status FROM instance WHERE tenant_id = ? AND finished_at IS NOT NULL
         AND (?2 IS NULL OR workflow = ?2) AND (?3 IS NULL OR finished_at < ?3)
         AND NOT EXISTS (SELECT 1 FROM child WHERE child.child_id = instance.id OR child.parent_id = instance.id)
       ORDER BY rowid DESC`,
      filter.tenantId,
      filter.workflow,
      filter.endedBefore,
    )
    .filter(({ status }) => filter.statuses === null || filter.statuses.includes(status))
    .slice(filter.keep)
    .reverse()
    .slice(0, filter.limit)
    .map(({ id, run_id }) => ({ id, run_id, held: isHeldRun(tx, id) }));

/** Whether a standing hold of its tenant names the run, or bytes that it handed over or put into its archive. */
export const isHeldRun = (tx: Pick<Transaction, "get">, instanceId: string): boolean =>
  tx.get(
    `SELECT 1 FROM legal_hold WHERE released_at IS NULL AND tenant_id = (SELECT tenant_id FROM instance WHERE id = ?1) AND (target = ?1
       OR target IN (SELECT sha256 FROM artifact WHERE instance_id = ?1) OR target IN (SELECT sha256 FROM history_archive
         WHERE instance_id = ?1)) LIMIT 1`,
    instanceId,
  ) !== undefined;

/** What goes with a run, below what it refers to. The audit stays. */
const TABLES = [
  "DELETE FROM history_archive WHERE instance_id = ?",
  "DELETE FROM rating WHERE instance_id = ?",
  "DELETE FROM plan_trace WHERE instance_id = ?",
  "DELETE FROM plan_step WHERE instance_id = ?",
  "DELETE FROM plan WHERE instance_id = ?",
  "DELETE FROM step_use WHERE instance_id = ?",
  "DELETE FROM reuse WHERE instance_id = ?",
  "DELETE FROM approval_artifact WHERE approval_id IN (SELECT id FROM approval WHERE instance_id = ?)",
  "DELETE FROM approval WHERE instance_id = ?",
  "DELETE FROM artifact WHERE instance_id = ?",
  "DELETE FROM quarantined_upload WHERE instance_id = ?",
  "DELETE FROM concurrency_hold WHERE request_id IN (SELECT id FROM request WHERE instance_id = ?)",
  "DELETE FROM lease_message WHERE lease_id IN (SELECT id FROM lease WHERE instance_id = ?)",
  "DELETE FROM log_chunk WHERE lease_id IN (SELECT id FROM lease WHERE instance_id = ?)",
  "DELETE FROM lease WHERE instance_id = ?",
  "DELETE FROM request WHERE instance_id = ?",
  "DELETE FROM native_call WHERE instance_id = ?",
  "DELETE FROM subscription WHERE instance_id = ?",
  "DELETE FROM timer WHERE instance_id = ?",
  "DELETE FROM workspace WHERE instance_id = ?",
  "DELETE FROM event WHERE instance_id = ?",
  "DELETE FROM instance_input WHERE instance_id = ?",
  "DELETE FROM instance WHERE id = ?",
];

export interface Pruned {
  /** Digests whose bytes nothing in the store names any more; they are written down to go. */
  artifacts: string[];
  /** Leases whose spooled output is nobody's any more. */
  leases: string[];
}

/** Remove one ended run. @returns null when it has not ended, is gone already, or is under a legal hold */
export const pruneRun: Operation<{ tenantId: string; instanceId: string; now: number }, Pruned | null> = (
  tx,
  { tenantId, instanceId, now },
) => {
  const row = tx.get<{ finished_at: number | null; snapshot: string }>(
    "SELECT finished_at, snapshot FROM instance WHERE id = ? AND tenant_id = ?",
    instanceId,
    tenantId,
  );
  if (row === undefined || row.finished_at === null || isHeldRun(tx, instanceId)) return null;
  const digests = tx
    .all<{ sha256: string }>(
      `SELECT sha256 FROM artifact WHERE instance_id = ?1 UNION SELECT sha256 FROM history_archive WHERE instance_id = ?1
       UNION SELECT sha256 FROM approval_artifact WHERE approval_id IN (SELECT id FROM approval WHERE instance_id = ?1)`,
      instanceId,
    )
    .map(({ sha256 }) => sha256);
  const leases = tx
    .all<{ id: string }>("SELECT id FROM lease WHERE instance_id = ?", instanceId)
    .map(({ id }) => id);
  const aside = tx.all<{ id: string }>("SELECT id FROM quarantined_upload WHERE instance_id = ?", instanceId);
  tx.run("DELETE FROM operator_task WHERE instance_id = ? AND state = 'resolved'", instanceId);
  for (const statement of TABLES) tx.run(statement, instanceId);
  tx.notify("instance", instanceId);
  const artifacts = digests.filter((digest) => !isNamed(tx, digest));
  for (const digest of artifacts) giveUp(tx, digest, now);
  for (const digest of digests) {
    if (!artifacts.includes(digest) && !isWanted(tx, digest))
      tx.run("INSERT INTO mentioned_digest (sha256) VALUES (?) ON CONFLICT DO NOTHING", digest);
  }
  for (const [kind, target] of [
    ...leases.map((lease) => ["spool", lease]),
    ...aside.map(({ id }) => ["quarantine", id]),
  ] as [string, string][]) {
    tx.run(
      "INSERT INTO removal (kind, target, named_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      kind,
      target,
      now,
    );
  }
  return { artifacts, leases };
};

/** Whether a run, a kept output or an upload still names a digest. */
function isNamed(tx: Pick<Transaction, "get">, sha256: string): boolean {
  const inText = `%${sha256}%`;
  return [
    tx.get("SELECT 1 FROM artifact WHERE sha256 = ? AND expired_at IS NULL LIMIT 1", sha256),
    tx.get("SELECT 1 FROM history_archive WHERE sha256 = ? LIMIT 1", sha256),
    tx.get("SELECT 1 FROM approval_artifact WHERE sha256 = ? LIMIT 1", sha256),
    tx.get("SELECT 1 FROM upload WHERE sha256 = ? AND expired_at IS NULL LIMIT 1", sha256),
    tx.get("SELECT 1 FROM audit_archive WHERE sha256 = ? LIMIT 1", sha256),
    tx.get("SELECT 1 FROM legal_hold WHERE target = ? AND released_at IS NULL LIMIT 1", sha256),
    tx.get("SELECT 1 FROM step_cache WHERE output LIKE ? LIMIT 1", inText),
    tx.get("SELECT 1 FROM step_use WHERE artifacts LIKE ? LIMIT 1", inText),
    tx.get("SELECT 1 FROM instance WHERE snapshot LIKE ? LIMIT 1", inText),
  ].some((found) => found !== undefined);
}
