export { type ArtifactBytes, type Artifacts, openArtifacts, type StoredArtifact } from "./artifacts.ts";
