import { fail } from "../base/errors.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import { getValue } from "./fields.ts";

/** Fields that no sandbox holds, and what to state in their place. A rule that nothing holds would only look like one. */
const UNHELD: readonly (readonly [path: string, instead: string])[] = [
  [
    "limits.cpuMillis",
    "tasks share the processors by the runner's slots; limits.taskMs and limits.concurrency hold",
  ],
  ["limits.diskBytes", "give the runner's data directory a file system of that size"],
  ["allow.networkPolicies", "state hosts in allow.networkHosts"],
  ["deny.networkPolicies", "state hosts in deny.networkHosts"],
  ["allow.trustBundles", "a runner trusts what its host or its image trusts: allow.images"],
  ["deny.trustBundles", "a runner trusts what its host or its image trusts: deny.images"],
];

/**
 * Refuse a layer with a field that could not be enforced. To allow all of a set says nothing, and passes.
 * @throws Failure `execution_policy_denied` with `details.field`
 */
export function refuseUnheld(layer: PolicyLayer): void {
  for (const [path, instead] of UNHELD) {
    const value = getValue(layer, path);
    if (value === undefined) continue;
    if (Array.isArray(value) && (value.length === 0 || (path.startsWith("allow.") && value.includes("*")))) {
      continue;
    }
    throw fail("execution_policy_denied", `nothing holds ${path}`, {
      hint: instead,
      details: { field: path },
    });
  }
}
