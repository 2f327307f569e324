import { fail } from "../../base/errors.ts";
import type { Operation, Query, Reading } from "../operation.ts";
import { isHeldRun } from "../runs/prune.ts";

/** A history as it stands in the tables and, compressed, in its artifact. */
export interface History {
  version: 1;
  instance_id: string;
  inputs: { seq: number; kind: string; body: string; recorded_at: number; engine_version: number }[];
  events: { last_seq: number; ts: number; lines: string }[];
}

export interface Candidate {
  rowid: number;
  id: string;
  finished_at: number | null;
  archived: number;
}

/** Instances after a position, in the order in which they were made. */
export const listCandidates: Query<{ after: number; limit: number }, Candidate[]> = (tx, { after, limit }) =>
  tx.all<Candidate>(
    `SELECT instance.rowid AS rowid, id, finished_at, history_archive.instance_id IS NOT NULL AS archived
     FROM instance LEFT JOIN history_archive ON history_archive.instance_id = id
     WHERE instance.rowid > ? ORDER BY instance.rowid LIMIT ?`,
    after,
    limit,
  );

/** The whole history of an instance that has ended. */
export const readHistory: Query<string, History> = (tx, instanceId) => ({
  version: 1,
  instance_id: instanceId,
  inputs: tx.all(
    "SELECT seq, kind, body, recorded_at, engine_version FROM instance_input WHERE instance_id = ? ORDER BY seq",
    instanceId,
  ),
  events: tx.all("SELECT last_seq, ts, lines FROM event WHERE instance_id = ? ORDER BY last_seq", instanceId),
});

/**
 * The history is in its artifact, which is on disk: its rows go. @returns false when it is not what was written there
 */
export const archiveHistory: Operation<
  { instanceId: string; sha256: string; size: number; inputs: number; lastEvent: number; now: number },
  boolean
> = (tx, { instanceId, sha256, size, inputs, lastEvent, now }) => {
  const counted = tx.get<{ inputs: number; last: number | null; finished: number | null }>(
    `SELECT (SELECT count(*) FROM instance_input WHERE instance_id = ?1) AS inputs,
       (SELECT max(last_seq) FROM event WHERE instance_id = ?1) AS last, (SELECT finished_at FROM instance WHERE id = ?1) AS finished`,
    instanceId,
  )!;
  if (counted.finished === null || counted.inputs !== inputs || (counted.last ?? 0) !== lastEvent)
    return false;
  // What a hold keeps stays as it is.
  if (isHeldRun(tx, instanceId)) return false;
  const put = tx.run(
    "INSERT INTO history_archive (instance_id, sha256, size, inputs, last_event, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    instanceId,
    sha256,
    size,
    inputs,
    lastEvent,
    now,
  );
  if (put === 0) return false;
  tx.run("DELETE FROM instance_input WHERE instance_id = ?", instanceId);
  tx.run("DELETE FROM event WHERE instance_id = ?", instanceId);
  // Where an ended call went stands in the history.
  tx.run("DELETE FROM native_call WHERE instance_id = ? AND state IN ('done', 'cancelled')", instanceId);
  return true;
};

/** The history of an instance from its artifact, or null where it is in the tables. @throws Failure `artifact_not_found` */
export function archivedHistory(tx: Reading, instanceId: string): History | null {
  const row = tx.get<{ sha256: string }>(
    "SELECT sha256 FROM history_archive WHERE instance_id = ?",
    instanceId,
  );
  if (row === undefined) return null;
  if (tx.archived === undefined)
    throw fail("artifact_not_found", `the history of ${instanceId} is in the artifact ${row.sha256}`);
  return tx.archived(row.sha256) as History;
}
