import { createPublicKey, type KeyObject } from "node:crypto";
import { fail, toFailure } from "../base/errors.ts";
import { readEnvelope, type Verified, verifyProvenance } from "../release/index.ts";
import type { GivenArtifact } from "./given.ts";

const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

const rawPublicKey = (raw: string): KeyObject =>
  createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, Buffer.from(raw, "base64url")]),
    format: "der",
    type: "spki",
  });

/**
 * The provenance of each artifact, by a runner that counts.
 * @throws Failure `provenance_invalid` for an artifact without one
 */
export function checkProvenance(
  artifacts: readonly GivenArtifact[],
  provenance: readonly GivenArtifact[],
  builderKeys: readonly string[],
): Verified[] {
  const envelopes = provenance.map(({ bytes }) => readEnvelope(Buffer.from(bytes).toString("utf8")));
  const keys = builderKeys.map(rawPublicKey);
  return artifacts.map(({ name, sha256 }) => {
    let why = "no provenance came with it";
    for (const envelope of envelopes) {
      for (const key of keys) {
        try {
          return verifyProvenance(envelope, sha256, key);
        } catch (error) {
          why = toFailure(error).message;
        }
      }
    }
    throw fail("provenance_invalid", `${name} has no provenance that holds: ${why}`, {
      hint: "the step that made it must demand provenance, and hand it on with the artifact",
    });
  });
}
