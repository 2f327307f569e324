import { Type } from "@sinclair/typebox";
import { defineOperation } from "../operation.ts";
import { closed, Integer, Text } from "../shapes.ts";
import { Digest, knownArtifact } from "./known.ts";

export const verifyArtifact = defineOperation({
  name: "artifact.verify",
  scope: "read",
  summary: "Read an artifact's bytes and compare them with its digest",
  method: "POST",
  path: "/artifacts/:sha256/verify",
  input: closed({ sha256: Digest }),
  output: closed({ sha256: Text, size: Integer, actual: Text, ok: Type.Boolean() }),
  async run(context, { sha256 }, signal) {
    knownArtifact(context, sha256);
    const hasher = new Bun.CryptoHasher("sha256");
    let size = 0;
    for await (const chunk of context.artifacts.open(sha256).stream()) {
      signal.throwIfAborted();
      hasher.update(chunk);
      size += chunk.length;
    }
    const actual = hasher.digest("hex");
    return { sha256, size, actual, ok: actual === sha256 };
  },
});
