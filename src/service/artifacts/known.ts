import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { type Failure, fail } from "../../base/errors.ts";
import { findReference, type KnownArtifact } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { closed, Integer, named, nullable, Text } from "../shapes.ts";

export const Digest = Type.String({ pattern: "^[0-9a-f]{64}$" });
export const Artifact = named(
  "Artifact",
  closed({ sha256: Digest, size: Integer, media_type: Text, name: nullable(Text) }),
);

/**
 * Bytes that the caller's tenant may read. Those of another one read as those that are not there.
 * @throws Failure `artifact_not_found`, `artifact_expired`
 */
export function knownArtifact(context: ServiceContext, sha256: string): KnownArtifact {
  const { tenantId } = context;
  const found = context.views.read(findReference, { tenantId, sha256, now: context.clock.wall() });
  if (found === null) throw notFound(sha256);
  if (found.expired !== null) {
    const { at, policyDigest } = found.expired;
    throw fail("artifact_expired", `the artifact ${sha256} expired at ${isoTime(at)}`, {
      hint: "`lightflow artifact show` has what is known of it",
      details: { sha256, size: found.known.size, expired_at: isoTime(at), policy_digest: policyDigest },
    });
  }
  if (!context.artifacts.has(sha256)) throw notFound(sha256);
  return found.known;
}

export const notFound = (sha256: string): Failure => fail("artifact_not_found", `no artifact ${sha256}`);
