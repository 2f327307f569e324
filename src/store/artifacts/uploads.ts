import type { Operation, Query } from "../operation.ts";

export interface KnownArtifact {
  sha256: string;
  size: number;
  media_type: string;
  name: string | null;
}

/** Note bytes that are on disk already as a tenant's. The same again changes nothing. @returns whether they are new */
export const noteUpload: Operation<
  KnownArtifact & { tenantId: string; actor: string; now: number },
  boolean
> = (tx, input) =>
  tx.run(
    `INSERT INTO upload (tenant_id, sha256, size, media_type, name, uploaded_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (tenant_id, sha256) DO NOTHING`,
    input.tenantId,
    input.sha256,
    input.size,
    input.media_type,
    input.name,
    input.actor,
    input.now,
  ) > 0;

/** Bytes that a tenant may read: handed in by it, or handed over by one of its runs. */
export const findArtifact: Query<{ tenantId: string; sha256: string }, KnownArtifact | null> = (
  tx,
  { tenantId, sha256 },
) => {
  const uploaded = tx.get<KnownArtifact>(
    "SELECT sha256, size, media_type, name FROM upload WHERE tenant_id = ? AND sha256 = ?",
    tenantId,
    sha256,
  );
  if (uploaded !== undefined) return uploaded;
  const handed = tx.all<KnownArtifact & { instance_id: string }>(
    "SELECT instance_id, sha256, size, media_type, name FROM artifact WHERE sha256 = ? ORDER BY created_at",
    sha256,
  );
  for (const { instance_id, ...artifact } of handed) {
    if (tx.get("SELECT 1 FROM instance WHERE id = ? AND tenant_id = ?", instance_id, tenantId))
      return artifact;
  }
  return null;
};
