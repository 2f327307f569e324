import type { Operation, Query, Reading } from "../operation.ts";
import { isOver, type Reference } from "./over.ts";

export interface KnownArtifact {
  sha256: string;
  size: number;
  media_type: string;
  name: string | null;
}

export interface NoteUpload extends KnownArtifact {
  tenantId: string;
  actor: string;
  now: number;
  /** How long policy keeps it, in milliseconds; null for ever. */
  retentionMs: number | null;
}

/**
 * Note bytes that are on disk already as a tenant's. The same again never shortens what was promised, and brings what had
 * expired back. @returns whether they are new
 */
export const noteUpload: Operation<NoteUpload, boolean> = (tx, input) => {
  const expiresAt = input.retentionMs === null ? null : input.now + input.retentionMs;
  const before = tx.get<{ expires_at: number | null; expired_at: number | null }>(
    "SELECT expires_at, expired_at FROM upload WHERE tenant_id = ? AND sha256 = ?",
    input.tenantId,
    input.sha256,
  );
  if (before !== undefined) {
    const longer =
      before.expired_at !== null || before.expires_at === null || expiresAt === null
        ? before.expired_at !== null
          ? expiresAt
          : null
        : Math.max(before.expires_at, expiresAt);
    tx.run(
      "UPDATE upload SET noted_at = ?, expires_at = ?, expired_at = NULL WHERE tenant_id = ? AND sha256 = ?",
      input.now,
      longer,
      input.tenantId,
      input.sha256,
    );
    return before.expired_at !== null;
  }
  tx.run(
    `INSERT INTO upload (tenant_id, sha256, size, media_type, name, uploaded_by, created_at, noted_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    input.tenantId,
    input.sha256,
    input.size,
    input.media_type,
    input.name,
    input.actor,
    input.now,
    input.now,
    expiresAt,
  );
  return true;
};

/** What is told of each reference to bytes: whose it is, where it comes from, and how long it is kept. */
export interface ArtifactReferenceRow extends Reference {
  kind: "artifact" | "log" | "reused" | "upload";
  size: number;
  media_type: string;
  name: string | null;
  created_at: number;
  run_id: string | null;
  step_id: string | null;
  attempt: number | null;
  runner_id: string | null;
  policy_digest: string | null;
  uploaded_by: string | null;
  /** The digest of the signed statement of what the artifacts of the same attempt were made from. */
  provenance: string | null;
}

/** Rows of `artifact` as references, with what their run, request and lease say. */
const HANDED = `SELECT artifact.tenant_id, artifact.sha256, artifact.kind, artifact.size, artifact.media_type, artifact.name,
    artifact.created_at, artifact.expires_at, artifact.expired_at, artifact.instance_id, artifact.lease_id, instance.run_id,
    coalesce(request.step_id, step_use.step_id) AS step_id, lease.attempt, lease.runner_id,
    coalesce(request.policy_digest, instance.policy_digest) AS policy_digest, NULL AS uploaded_by,
    (SELECT statement.sha256 FROM artifact AS statement WHERE statement.instance_id = artifact.instance_id
      AND statement.lease_id = artifact.lease_id AND statement.name = 'provenance.intoto.json') AS provenance
  FROM artifact JOIN instance ON instance.id = artifact.instance_id
    LEFT JOIN lease ON lease.id = artifact.lease_id LEFT JOIN request ON request.id = lease.request_id
    LEFT JOIN step_use ON step_use.instance_id = artifact.instance_id AND step_use.effect_id = artifact.lease_id`;
const UPLOADED = `SELECT tenant_id, sha256, 'upload' AS kind, size, media_type, name, created_at, expires_at, expired_at,
    NULL AS instance_id, NULL AS lease_id, NULL AS run_id, NULL AS step_id, NULL AS attempt, NULL AS runner_id,
    NULL AS policy_digest, uploaded_by, NULL AS provenance FROM upload`;

/** Every reference that a tenant has to a digest, oldest first, those that have expired too. */
export const referencesTo: Query<{ tenantId: string; sha256: string }, ArtifactReferenceRow[]> = (
  tx,
  { tenantId, sha256 },
) =>
  [
    ...tx.all<ArtifactReferenceRow>(`${UPLOADED} WHERE tenant_id = ? AND sha256 = ?`, tenantId, sha256),
    ...tx.all<ArtifactReferenceRow>(
      `${HANDED} WHERE artifact.sha256 = ? AND artifact.tenant_id = ?`,
      sha256,
      tenantId,
    ),
  ].sort((a, b) => a.created_at - b.created_at);

export interface ListReferences {
  tenantId: string;
  runId: string | null;
  stepId: string | null;
  kind: string | null;
  /** Those that were made up to this time, without so many of the first: several are made at once. */
  until: number;
  skip: number;
  limit: number;
}

/** References of a tenant, newest first. */
export const listReferences: Query<ListReferences, ArtifactReferenceRow[]> = (tx, input) => {
  const { tenantId, runId, stepId, kind, until, skip, limit } = input;
  const handed =
    kind === "upload"
      ? []
      : tx.all<ArtifactReferenceRow>(
          `${HANDED} WHERE artifact.tenant_id = ?1 AND artifact.created_at <= ?2 AND (?3 IS NULL OR instance.run_id = ?3)
             AND (?4 IS NULL OR coalesce(request.step_id, step_use.step_id) = ?4) AND (?5 IS NULL OR artifact.kind = ?5)
           ORDER BY artifact.created_at DESC, artifact.lease_id, artifact.name, artifact.sha256 LIMIT ?6`,
          tenantId,
          until,
          runId,
          stepId,
          kind,
          limit + skip,
        );
  const uploaded =
    runId !== null || stepId !== null || (kind !== null && kind !== "upload")
      ? []
      : tx.all<ArtifactReferenceRow>(
          `${UPLOADED} WHERE tenant_id = ? AND created_at <= ? ORDER BY created_at DESC, sha256 LIMIT ?`,
          tenantId,
          until,
          limit + skip,
        );
  return [...handed, ...uploaded].sort((a, b) => b.created_at - a.created_at).slice(skip, skip + limit);
};

export interface Found {
  known: KnownArtifact;
  /** Null while one reference still counts; else when the last one ended, and under which policy. */
  expired: { at: number; policyDigest: string | null } | null;
}

/** Bytes that a tenant may know of: handed in by it, or handed over by one of its runs. */
export const findReference: Query<{ tenantId: string; sha256: string; now: number }, Found | null> = (
  tx,
  { tenantId, sha256, now },
) => {
  const references = referencesOf(tx, tenantId, sha256);
  if (references.length === 0) return null;
  const live = references.find((reference) => !isOver(tx, reference, now));
  const last = live ?? references.toSorted((a, b) => endOf(b) - endOf(a))[0]!;
  const { size, media_type, name } = last;
  return {
    known: { sha256, size, media_type, name },
    expired: live === undefined ? { at: endOf(last), policyDigest: policyOf(tx, last) } : null,
  };
};

/** Bytes that a tenant may read. */
export const findArtifact: Query<{ tenantId: string; sha256: string; now: number }, KnownArtifact | null> = (
  tx,
  input,
) => {
  const found = findReference(tx, input);
  return found === null || found.expired !== null ? null : found.known;
};

/** When a reference was given up, or may be. */
const endOf = ({ expired_at, expires_at }: Reference): number => expired_at ?? expires_at ?? 0;

type Plain = Reference & { size: number; media_type: string; name: string | null };

/** By key alone, uploads first: whoever reads bytes waits for this. */
function referencesOf(tx: Reading, tenantId: string, sha256: string): Plain[] {
  const uploaded = tx.get<Plain>(
    `SELECT tenant_id, sha256, size, media_type, name, NULL AS instance_id, NULL AS lease_id, expires_at, expired_at
     FROM upload WHERE tenant_id = ? AND sha256 = ?`,
    tenantId,
    sha256,
  );
  if (uploaded !== undefined && uploaded.expired_at === null && uploaded.expires_at === null)
    return [uploaded];
  const handed = tx.all<Plain>(
    `SELECT tenant_id, sha256, size, media_type, name, instance_id, lease_id, expires_at, expired_at FROM artifact
     WHERE sha256 = ? AND tenant_id = ? ORDER BY created_at`,
    sha256,
    tenantId,
  );
  return uploaded === undefined ? handed : [uploaded, ...handed];
}

/** The policy of the task that handed the bytes over. */
function policyOf(tx: Reading, { instance_id, lease_id }: Reference): string | null {
  if (instance_id === null) return null;
  const lease = tx.get<{ request_id: string }>("SELECT request_id FROM lease WHERE id = ?", lease_id);
  const from =
    lease === undefined
      ? tx.get<{ policy_digest: string }>("SELECT policy_digest FROM instance WHERE id = ?", instance_id)
      : tx.get<{ policy_digest: string }>("SELECT policy_digest FROM request WHERE id = ?", lease.request_id);
  return from?.policy_digest ?? null;
}

/** Whether a tenant has handed bytes in that no retention ends. */
export const isKeptForever: Query<{ tenantId: string; sha256: string }, boolean> = (tx, input) =>
  tx.get(
    "SELECT 1 FROM upload WHERE tenant_id = ? AND sha256 = ? AND expires_at IS NULL AND expired_at IS NULL",
    input.tenantId,
    input.sha256,
  ) !== undefined;

export const runIdOf: Query<string, string | null> = (tx, instanceId) =>
  tx.get<{ run_id: string }>("SELECT run_id FROM instance WHERE id = ?", instanceId)?.run_id ?? null;

/** Logs of a run that were given up, the last one first. */
export const expiredLogs: Query<
  { instanceId: string; stepId: string | null },
  { expired_at: number; policy_digest: string }[]
> = (tx, { instanceId, stepId }) =>
  tx.all(
    `SELECT artifact.expired_at, request.policy_digest FROM artifact JOIN lease ON lease.id = artifact.lease_id
       JOIN request ON request.id = lease.request_id
     WHERE artifact.instance_id = ?1 AND artifact.kind = 'log' AND artifact.expired_at IS NOT NULL
       AND (?2 IS NULL OR request.step_id = ?2) ORDER BY artifact.expired_at DESC`,
    instanceId,
    stepId,
  );
