import { putArtifact } from "./from-file.ts";
import { collectArtifacts } from "./gc.ts";
import { holdArtifact, listLegalHolds, releaseArtifact } from "./holds.ts";
import { listArtifactReferences } from "./list.ts";
import { discardQuarantine, listQuarantine } from "./quarantine.ts";
import { readArtifact } from "./read.ts";
import { showArtifact } from "./show.ts";
import { verifyArtifact } from "./verify.ts";

export { Artifact, Digest as ArtifactDigest, knownArtifact } from "./known.ts";
export { uploadArtifact } from "./upload.ts";

export const artifactOperations = {
  readArtifact,
  showArtifact,
  putArtifact,
  listArtifactReferences,
  verifyArtifact,
  holdArtifact,
  releaseArtifact,
  listLegalHolds,
  collectArtifacts,
  listQuarantine,
  discardQuarantine,
} as const;
