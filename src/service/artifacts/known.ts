import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { findArtifact, type KnownArtifact } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { closed, Integer, named, nullable, Text } from "../shapes.ts";

export const Digest = Type.String({ pattern: "^[0-9a-f]{64}$" });
export const Artifact = named(
  "Artifact",
  closed({ sha256: Digest, size: Integer, media_type: Text, name: nullable(Text) }),
);

/**
 * Bytes that the caller's tenant may read. Those of another one read as those that are not there.
 * @throws Failure `artifact_not_found`
 */
export function knownArtifact(context: ServiceContext, sha256: string): KnownArtifact {
  const known = context.views.read(findArtifact, { tenantId: context.tenantId, sha256 });
  if (known === null || !context.artifacts.has(sha256)) {
    throw fail("artifact_not_found", `no artifact ${sha256}`);
  }
  return known;
}
