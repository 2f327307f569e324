import { fail } from "../../base/errors.ts";
import type { ServiceContext } from "../../service/index.ts";
import { findRun, listArtifacts } from "../../store/index.ts";
import { encodeFrame } from "../../stream/index.ts";

/** Both sides of a preview: enough to judge a picture by, small enough for every frame of a stream. */
const SIDE = 512;
/** A picture whose pixels would not fit is not decoded. */
const MAXIMUM_BYTES = 64 * 1024 * 1024;
const MAXIMUM_PIXELS = 64 * 1024 * 1024;

/** A picture among a run's artifacts, made small, as one frame. @throws Failure `not_found`, `unsupported` */
export async function previewFrame(
  context: ServiceContext,
  runId: string,
  sha256: string,
): Promise<Uint8Array> {
  const run = context.views.read(findRun, { tenantId: context.tenantId, runId });
  const artifact = context.views
    .read(listArtifacts, { instanceId: run.id })
    .find((each) => each.sha256 === sha256);
  if (artifact === undefined) throw fail("artifact_not_found", `run ${runId} has no artifact ${sha256}`);
  if (!artifact.media_type.startsWith("image/") || artifact.size > MAXIMUM_BYTES) {
    throw fail("unsupported", `${artifact.name} is no picture that can be shown: ${artifact.media_type}`);
  }
  let small: { width: number; height: number; bytes: Uint8Array };
  try {
    const original = await context.artifacts.open(sha256).bytes();
    const image = new Bun.Image(original, { maxPixels: MAXIMUM_PIXELS })
      .resize(SIDE, SIDE, { fit: "inside", withoutEnlargement: true })
      .webp({ quality: 80 });
    const bytes = await image.bytes();
    small = { bytes, width: image.width, height: image.height };
  } catch (error) {
    throw fail("unsupported", `${artifact.name} is no picture that can be read`, { cause: error });
  }
  return encodeFrame({
    kind: "Preview",
    runId,
    status: artifact.name,
    sequence: 0,
    timestampMs: artifact.created_at,
    payload: JSON.stringify({ name: artifact.name, sha256, media_type: artifact.media_type }),
    image: { stepId: artifact.step_id, mediaType: "image/webp", ...small },
  });
}
