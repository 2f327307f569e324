import { putArtifact } from "./from-file.ts";
import { readArtifact } from "./read.ts";
import { showArtifact } from "./show.ts";

export { Artifact, Digest as ArtifactDigest, knownArtifact } from "./known.ts";
export { uploadArtifact } from "./upload.ts";

export const artifactOperations = { readArtifact, showArtifact, putArtifact } as const;
