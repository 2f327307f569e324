import type { CommandTemplate, PinnedTemplate, PolicyRegistry } from "../../policy/index.ts";
import {
  completeProfile,
  type ExecutionProfile,
  LOCAL_PROFILE,
  type ProfileDocument,
} from "../../policy/profile.ts";
import type { PolicyLayer } from "../../protocol/policy.ts";
import type { Query } from "../operation.ts";
import { type PolicyKind, type PolicyObject, readPolicyObject } from "./objects.ts";

/** What an operator says of a pool. */
export interface PoolBody {
  readonly id: string;
  readonly tenants?: readonly string[];
}

/** The profile and the pool that stand until an operator publishes something else under their name. */
const DEFAULT_POOL = "default";

/**
 * What one tenant's workflows may refer to, as it stands now. Read at a start; what is pinned in a snapshot is not
 * read again.
 */
export const policyRegistry: Query<{ tenantId: string }, PolicyRegistry & { tenantRevoked: boolean }> = (
  tx,
  { tenantId },
) => {
  const newest = (kind: PolicyKind, id: string) => readPolicyObject(tx, { kind, id });
  const layer = (found: PolicyObject | null) =>
    found === null || found.state === "revoked"
      ? null
      : { version: found.version, policy: found.body["policy"] as PolicyLayer };
  const tenant = newest("tenant", tenantId);
  /** What is revoked is not replaced by an older version: an operator decides what holds next. */
  const standing = <Value>(
    kind: PolicyKind,
    id: string,
    make: (found: PolicyObject) => Value,
    builtIn: Value | null = null,
  ): Value | "revoked" | null => {
    const found = newest(kind, id);
    if (found === null) return builtIn;
    return found.state === "revoked" ? "revoked" : make(found);
  };
  return {
    tenantId,
    tenantRevoked: tenant?.state === "revoked",
    service: layer(newest("service-policy", "service")),
    tenant: layer(newest("tenant-policy", tenantId)),
    defaultProfile: (tenant?.body["defaultProfile"] as string | undefined) ?? LOCAL_PROFILE.id,
    profile: (id) =>
      standing<ExecutionProfile>(
        "profile",
        id,
        ({ version, body }) => ({ id, version, policy: completeProfile(body as unknown as ProfileDocument) }),
        id === LOCAL_PROFILE.id ? LOCAL_PROFILE : null,
      ),
    template: (id) =>
      standing<PinnedTemplate>("template", id, ({ version, digest, body }) => ({
        version,
        digest,
        template: body as unknown as CommandTemplate,
      })),
    pool: (id) =>
      standing(
        "pool",
        id,
        ({ version, body }) => {
          const { tenants } = body as unknown as PoolBody;
          return { version, ...(tenants === undefined ? {} : { tenants }) };
        },
        id === DEFAULT_POOL ? { version: 0 } : null,
      ),
  };
};
