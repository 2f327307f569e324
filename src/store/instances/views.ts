import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { archivedHistory } from "../archives/archive.ts";
import type { Query } from "../operation.ts";
import type { InstanceRow } from "./engine-port.ts";

/** The instance of a run. @throws Failure `not_found` */
export const findRun: Query<{ tenantId: string; runId: string }, InstanceRow> = (tx, { tenantId, runId }) => {
  const row = tx.get<InstanceRow>(
    "SELECT * FROM instance WHERE tenant_id = ? AND run_id = ?",
    tenantId,
    runId,
  );
  if (row === undefined) throw noRun(runId);
  return row;
};

const noRun = (runId: string) =>
  fail("not_found", `not found: run ${runId}`, { hint: "`lightflow run list` shows them" });

export interface RunFilter {
  tenantId: string;
  /** Of these statuses alone. */
  statuses?: readonly string[] | null;
  workflow?: string | null;
  /** Older than this run. */
  before?: string | null;
  limit: number;
}

/** Runs, newest first. @throws Failure `not_found` for a `before` that is no run */
export const listRuns: Query<RunFilter, InstanceRow[]> = (tx, input) => {
  const { tenantId, statuses = null, workflow = null, before = null, limit } = input;
  let below = Number.MAX_SAFE_INTEGER;
  if (before !== null) {
    const row = tx.get<{ at: number }>(
      "SELECT rowid AS at FROM instance WHERE tenant_id = ? AND run_id = ?",
      tenantId,
      before,
    );
    if (row === undefined) throw fail("not_found", `not found: run ${before}`);
    below = row.at;
  }
  return tx.all<InstanceRow>(
    `SELECT * FROM instance WHERE rowid < ? AND tenant_id = ? AND (? IS NULL OR workflow = ?)
       AND (? IS NULL OR status IN (SELECT value FROM json_each(?))) ORDER BY rowid DESC LIMIT ?`,
    below,
    tenantId,
    workflow,
    workflow,
    statuses === null ? null : 1,
    JSON.stringify(statuses ?? []),
    limit,
  );
};

export const readDefinition: Query<string, JsonObject | null> = (tx, digest) => {
  const row = tx.get<{ document: string }>("SELECT document FROM definition WHERE digest = ?", digest);
  return row === undefined ? null : (JSON.parse(row.document) as JsonObject);
};

export interface ArtifactRow {
  step_id: string;
  attempt: number;
  lease_id: string;
  name: string;
  sha256: string;
  size: number;
  media_type: string;
  created_at: number;
  expires_at: number | null;
  expired_at: number | null;
}

/** What the accepted attempts of a run handed over, and what its cached steps had. */
export const listArtifacts: Query<{ instanceId: string }, ArtifactRow[]> = (tx, { instanceId }) =>
  tx.all<ArtifactRow>(
    `SELECT request.step_id, lease.attempt, artifact.lease_id, artifact.name, artifact.sha256, artifact.size, artifact.media_type,
       artifact.created_at, artifact.expires_at, artifact.expired_at
     FROM artifact JOIN lease ON lease.id = artifact.lease_id JOIN request ON request.id = lease.request_id
     WHERE artifact.instance_id = ?1 AND artifact.kind = 'artifact' AND request.accepted_attempt = lease.attempt
     UNION ALL
     SELECT step_use.step_id, 0, '', kept.value ->> 'name', kept.value ->> 'sha256', kept.value ->> 'size',
       coalesce(kept.value ->> 'mediaType', 'application/octet-stream'), step_use.at, artifact.expires_at, artifact.expired_at
     FROM step_use, json_each(step_use.artifacts) AS kept LEFT JOIN artifact ON artifact.instance_id = step_use.instance_id
       AND artifact.lease_id = step_use.effect_id AND artifact.name = kept.value ->> 'name' AND artifact.sha256 = kept.value ->> 'sha256'
     WHERE step_use.instance_id = ?1
     ORDER BY 8, 4`,
    instanceId,
  );

export interface AttemptRow {
  lease_id: string;
  step_id: string;
  reference: string;
  attempt: number;
  runner_id: string;
  state: string;
  sandbox: string | null;
  issued_at: number;
  started_at: number | null;
  finished_at: number | null;
  result: JsonObject | null;
  verdict: string | null;
}

/** Every attempt of a run's runner steps, in the order they were leased. */
export const listAttempts: Query<{ instanceId: string }, AttemptRow[]> = (tx, { instanceId }) =>
  tx
    .all<Omit<AttemptRow, "result"> & { result: string | null }>(
      `SELECT lease.id AS lease_id, request.step_id, request.reference, lease.attempt, lease.runner_id, lease.state, lease.sandbox,
         lease.issued_at, lease.started_at, lease.finished_at, lease.result, lease.verdict
       FROM request JOIN lease ON lease.request_id = request.id
       WHERE request.instance_id = ? ORDER BY lease.issued_at, lease.id`,
      instanceId,
    )
    .map((row) => ({ ...row, result: row.result === null ? null : (JSON.parse(row.result) as JsonObject) }));

export interface StoredInputRow {
  seq: number;
  body: Json;
  recorded_at: number;
  engine_version: number;
}

/** The inputs of an instance after a position: folding all of them rebuilds its snapshot. */
export const listInputs: Query<{ instanceId: string; after?: number; limit?: number }, StoredInputRow[]> = (
  tx,
  { instanceId, after = 0, limit = -1 },
) => {
  let rows = tx.all<Omit<StoredInputRow, "body"> & { body: string }>(
    "SELECT seq, body, recorded_at, engine_version FROM instance_input WHERE instance_id = ? AND seq > ? ORDER BY seq LIMIT ?",
    instanceId,
    after,
    limit,
  );
  if (rows.length === 0) {
    const archived = (archivedHistory(tx, instanceId)?.inputs ?? []).filter(({ seq }) => seq > after);
    rows = (limit < 0 ? archived : archived.slice(0, limit)).map(({ kind: _, ...row }) => row);
  }
  return rows.map((row) => ({ ...row, body: JSON.parse(row.body) as Json }));
};
