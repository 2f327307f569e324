import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Artifact, Digest, knownArtifact } from "./known.ts";

export const showArtifact = defineOperation({
  name: "artifact.show",
  scope: "read",
  summary: "What is known of an artifact: size, media type, name",
  method: "GET",
  path: "/artifacts/:sha256/about",
  input: closed({ sha256: Digest }),
  output: Artifact,
  run: (context, input) => knownArtifact(context, input.sha256),
});
