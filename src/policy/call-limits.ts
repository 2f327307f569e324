import { fail } from "../base/errors.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import { narrow } from "./fold.ts";
import { foldLayers, type SnapshotWithDigest, taskLayer } from "./snapshot.ts";

/** Where a call of the orchestrator itself may go, as patterns of hosts. */
export interface CallLimits {
  /** Nothing else; null where every host is allowed. */
  readonly only: readonly string[] | null;
  readonly deny: readonly string[];
  /** Private to the tenant: only a runner in its network calls them. */
  readonly elsewhere: readonly string[];
}

/** Neither a snapshot nor what a document's task says ever changes. */
const known = new Map<string, CallLimits>();
const KEPT = 4096;

/**
 * What all layers say of the hosts that a call may reach. What a profile allows is the network of the commands under it, so
 * of a profile only what it denies counts; whatever the other layers state holds for calls as it does for commands.
 * @throws Failure `execution_policy_denied`
 */
export function callLimits(snapshot: SnapshotWithDigest, task: PolicyLayer, reference: string): CallLimits {
  const key = `${snapshot.digest} ${JSON.stringify(task)}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const [profile, ...others] = snapshot.body.layers;
  const { bounds } = narrow(foldLayers(others), taskLayer(reference, task));
  if (bounds.network === "deny-all") {
    throw fail("execution_policy_denied", "the task has no network, so it calls nobody", {
      details: { field: "network" },
    });
  }
  const allowed = bounds.allow?.networkHosts;
  const limits: CallLimits = {
    only: allowed === undefined || allowed.includes("*") ? null : allowed,
    deny: [...(profile?.policy.deny?.networkHosts ?? []), ...(bounds.deny?.networkHosts ?? [])],
    elsewhere: [...(profile?.policy.privateHosts ?? []), ...(bounds.privateHosts ?? [])],
  };
  if (known.size >= KEPT) known.clear();
  known.set(key, limits);
  return limits;
}
