export {
  type ArtifactBytes,
  type Artifacts,
  openArtifacts,
  type Quarantined,
  type StoredArtifact,
} from "./artifacts.ts";
