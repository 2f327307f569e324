export { type ArtifactBytes, type Artifacts, openArtifacts } from "./artifacts.ts";
