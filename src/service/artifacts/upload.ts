import type { ArtifactBytes } from "../../artifacts/index.ts";
import { fail } from "../../base/errors.ts";
import { noteUpload, policyRegistry } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";

interface About {
  readonly mediaType: string;
  readonly name: string | null;
  readonly expected?: string | undefined;
  /** How long it is kept, in milliseconds, null for ever; what policy says where it is left out. */
  readonly retentionMs?: null;
}

/**
 * Keep bytes that a caller hands in. They are on disk before they are noted as his, so that what is known can be read.
 * @throws Failure `artifact_digest_mismatch`, `payload_too_large`; nothing is left behind
 */
export async function uploadArtifact(
  context: ServiceContext,
  bytes: ArtifactBytes,
  about: About,
  maximumBytes: number,
): Promise<{ sha256: string; size: number; media_type: string; name: string | null; created: boolean }> {
  const { sha256, size } = await context.artifacts.put(bytes, about.expected, maximumBytes);
  const artifact = { sha256, size, media_type: about.mediaType, name: about.name };
  const created = await context.records.write(noteUpload, {
    ...artifact,
    tenantId: context.tenantId,
    actor: context.principal.subject,
    now: context.clock.wall(),
    retentionMs: about.retentionMs === undefined ? retentionOf(context) : about.retentionMs,
  });
  if (!context.artifacts.has(sha256)) throw fail("unavailable", "the bytes were removed while they came");
  return { ...artifact, created };
}

/** An upload belongs to no task: what the service and the tenant say of artifacts holds. */
function retentionOf({ views, tenantId }: ServiceContext): number | null {
  const { service, tenant } = views.read(policyRegistry, { tenantId });
  const said = [service, tenant].flatMap((layer) => layer?.policy.limits?.artifactRetentionMs ?? []);
  return said.length === 0 ? null : Math.min(...said);
}
