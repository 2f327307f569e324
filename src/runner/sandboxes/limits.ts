import { fail } from "../../base/errors.ts";
import type { Cgroups } from "./cgroups.ts";
import type { SandboxRequest } from "./sandbox.ts";

/**
 * Limits are the kernel's groups or nothing: an rlimit counts each process alone, or all processes of the user, and
 * does not bind root at all.
 * @throws Failure `feature_unsupported`
 */
export function checkLimits(request: SandboxRequest, cgroups: Cgroups | null): void {
  if (cgroups !== null || (request.memoryBytes === undefined && request.processes === undefined)) return;
  throw fail("feature_unsupported", "this host lets the runner limit neither memory nor processes", {
    hint: "run it as a systemd unit with Delegate=yes, or as root",
  });
}
