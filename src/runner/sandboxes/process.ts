import { existsSync, realpathSync } from "node:fs";
import { fail } from "../../base/errors.ts";
import type { Cgroups } from "./cgroups.ts";
import { checkLimits } from "./limits.ts";
import { signalProcess } from "./processes.ts";
import { behindGate, createProvider, type ProcessBackend } from "./provider.ts";
import type { SandboxProvider } from "./sandbox.ts";

/**
 * A plain child process: its own session and group, a cleared environment, its own directories. It holds no
 * namespace, so it isolates nothing by force and says so: boundary `process`, mode `none` alone.
 */
export function processSandbox(dataDirectory: string, cgroups: Cgroups | null): SandboxProvider {
  const backend: ProcessBackend = {
    capability: {
      provider: "process",
      template: "process-1",
      boundary: "process",
      features: [
        "process-group",
        "cleared-environment",
        ...(cgroups === null ? [] : ["memory-limit", "process-limit"]),
      ],
      modes: ["none"],
    },
    leavesNothing: false,
    ahead: false,
    validate(request) {
      checkLimits(request, cgroups);
      if (request.network === "allowlisted") {
        throw fail("feature_unsupported", "a plain process cannot be kept to an allow-list of hosts", {
          hint: "install bubblewrap (apt-get install bubblewrap) and allow user namespaces",
        });
      }
      for (const mount of request.mounts) {
        // Without a mount namespace a path is where it is: a mount can only be what is already there.
        if (!existsSync(mount.target) || realpathSync(mount.target) !== mount.source) {
          throw fail(
            "feature_unsupported",
            `without bubblewrap ${mount.source} cannot appear as ${mount.target}`,
            {
              hint: "use the same path as source and target, or install bubblewrap",
            },
          );
        }
      }
    },
    launch(request, gate) {
      const command = [request.command, ...request.arguments];
      return { argv: gate === null ? command : behindGate(gate, command), descriptors: [], close() {} };
    },
    terminate: (pid) => signalProcess(-pid, "SIGTERM"),
    kill: (pid) => signalProcess(-pid, "SIGKILL"),
    describeExit: (exit) => exit,
  };
  return createProvider(backend, dataDirectory, cgroups);
}
