import { digestOf } from "../../base/canonical.ts";
import type { Lease } from "../../protocol/index.ts";
import type { LeaseContext } from "../journal/entry.ts";
import type { SandboxCapability } from "../sandboxes/index.ts";

/** What the journal keeps of a lease: enough to report on it, nothing of what it runs. */
export function contextOf(
  lease: Lease,
  capability: SandboxCapability,
  secretNames: readonly string[],
): LeaseContext {
  const { task: _task, nonce: _nonce, signature: _signature, mounts: _mounts, ...context } = lease;
  return {
    ...context,
    ...(lease.provenance === undefined ? {} : { parametersDigest: digestOf(lease.task) }),
    secretNames: [...secretNames],
    provider: capability.provider,
    boundary: capability.boundary,
  };
}
