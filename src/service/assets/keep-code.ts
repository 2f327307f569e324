import type { FoundWorkflow } from "../../assets/index.ts";
import { isKeptForever } from "../../store/index.ts";
import { uploadArtifact } from "../artifacts/upload.ts";
import type { ServiceContext } from "../context.ts";

/** Keep the files of a workflow's code nodes as artifacts: a runner gets them by their digest. */
export async function keepCode(context: ServiceContext, found: FoundWorkflow): Promise<void> {
  if (!found.plan.steps.some(({ target }) => target.kind === "code")) return;
  const { codeSources } = await import("../../assets/index.ts");
  for (const { sha256, name, bytes } of codeSources(found)) {
    const known = context.views.read(isKeptForever, { tenantId: context.tenantId, sha256 });
    if (known && context.artifacts.has(sha256)) continue;
    // Definitions name it for as long as they stand.
    const about = { mediaType: "text/typescript", name, expected: sha256, retentionMs: null };
    await uploadArtifact(context, bytes, about, bytes.byteLength);
  }
}
