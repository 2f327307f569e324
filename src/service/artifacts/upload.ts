import type { ArtifactBytes } from "../../artifacts/index.ts";
import { noteUpload } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";

/**
 * Keep bytes that a caller hands in. They are on disk before they are noted as his, so that what is known can be read.
 * @throws Failure `artifact_digest_mismatch`, `payload_too_large`; nothing is left behind
 */
export async function uploadArtifact(
  context: ServiceContext,
  bytes: ArtifactBytes,
  about: { readonly mediaType: string; readonly name: string | null; readonly expected?: string | undefined },
  maximumBytes: number,
): Promise<{ sha256: string; size: number; media_type: string; name: string | null; created: boolean }> {
  const { sha256, size } = await context.artifacts.put(bytes, about.expected, maximumBytes);
  const artifact = { sha256, size, media_type: about.mediaType, name: about.name };
  const created = await context.records.write(noteUpload, {
    ...artifact,
    tenantId: context.tenantId,
    actor: context.principal.subject,
    now: context.clock.wall(),
  });
  return { ...artifact, created };
}
