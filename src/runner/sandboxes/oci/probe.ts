import { existsSync } from "node:fs";
import { toFailure } from "../../../base/errors.ts";
import { newId } from "../../../base/ids.ts";
import { BUBBLEWRAP_MODES } from "../bubblewrap.ts";
import type { Cgroups } from "../cgroups.ts";
import { LEASE_MARKER, WORKSPACE_MARKER } from "../provider.ts";
import type { SandboxCapability, SandboxProvider, SandboxRequest } from "../sandbox.ts";
import { writeSystemFiles } from "../system-root.ts";
import {
  type Facts,
  factsOf,
  isolationChecks,
  type ProbeCheck,
  runOutside,
  type Trial,
  unproven,
  withTrial,
} from "../trial.ts";
import type { BundleOptions } from "./bundle.ts";
import { hasMemoryDirectory } from "./memory-directory.ts";
import { ociSandbox } from "./oci.ts";

export interface OciProbe {
  readonly oci: SandboxProvider | null;
  readonly checks: readonly ProbeCheck[];
  readonly remedy: string | null;
}

const RUNTIMES = ["crun", "runc"].flatMap((name) =>
  ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map((at) => `${at}/${name}`),
);

/**
 * The first OCI runtime of this host that runs and isolates a container; each is tried with the trial of the other
 * sandboxes.
 */
export async function probeOci(options: BundleOptions, cgroups: Cgroups | null): Promise<OciProbe> {
  await writeSystemFiles(options.dataDirectory, options.readOnlyPaths);
  const found = RUNTIMES.filter((program) => existsSync(program));
  if (found.length === 0) {
    return {
      oci: null,
      checks: [{ name: "oci", proven: false, detail: "neither crun nor runc is installed" }],
      remedy: "no OCI runtime is installed: apt-get install crun (or runc)",
    };
  }
  if (!hasMemoryDirectory()) {
    return {
      oci: null,
      checks: [{ name: "oci", proven: false, detail: "/dev/shm is no memory file system" }],
      remedy:
        "mount a tmpfs at /dev/shm: the configuration of a container holds its task's secrets, which stay off the disk",
    };
  }
  let last: OciProbe | undefined;
  for (const program of found) {
    last = await withTrial(options.dataDirectory, (trial) => tryRuntime(program, options, cgroups, trial));
    if (last.oci !== null) return last;
  }
  return last!;
}

async function tryRuntime(
  program: string,
  options: BundleOptions,
  cgroups: Cgroups | null,
  trial: Trial,
): Promise<OciProbe> {
  const trialCapability: SandboxCapability = {
    provider: "oci",
    template: "oci-1",
    boundary: "user-namespace",
    features: [],
    modes: BUBBLEWRAP_MODES,
    images: true,
  };
  const candidate = ociSandbox({ ...options, program, cgroups }, trialCapability);
  const run = (network: SandboxRequest["network"], limits: Partial<SandboxRequest> = {}) =>
    runOnce(candidate, trial, { network, ...limits });
  const [sandboxed, opened, control] = await Promise.all([run("deny-all"), run("open"), runOutside(trial)]);
  if (sandboxed.exitCode !== 0) {
    return {
      oci: null,
      checks: [{ name: "oci", proven: false, detail: sandboxed.error }],
      remedy: `${program} does not start a container: ${sandboxed.error || "no message"}`,
    };
  }
  const checks = isolationChecks(sandboxed, opened, control);
  const missing = unproven(checks);
  if (missing.length > 0)
    return { oci: null, checks, remedy: `${program} starts but does not isolate: ${missing.join(", ")}` };
  // Whether the runtime may make groups is its own matter: it is asked for one.
  const limited =
    cgroups !== null && (await run("deny-all", { memoryBytes: 64 << 20, processes: 64 })).exitCode === 0;
  const capability: SandboxCapability = {
    ...trialCapability,
    features: [
      ...checks.filter((check) => check.proven).map((check) => check.name),
      ...(limited ? ["memory-limit", "process-limit"] : []),
    ],
  };
  return {
    oci: ociSandbox({ ...options, program, cgroups: limited ? cgroups : null }, capability),
    checks,
    remedy: null,
  };
}

async function runOnce(
  provider: SandboxProvider,
  trial: Trial,
  more: Partial<SandboxRequest>,
): Promise<Facts> {
  const operationId = newId();
  const [command = "", ...args] = trial.command("inside");
  const request: SandboxRequest = {
    operationId,
    mode: "none",
    command,
    arguments: args,
    environment: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      [LEASE_MARKER]: operationId,
      [WORKSPACE_MARKER]: trial.work,
    },
    stdin: undefined,
    directory: trial.work,
    writable: [trial.work],
    mounts: [],
    network: "deny-all",
    memoryBytes: undefined,
    processes: undefined,
    ...more,
  };
  try {
    await provider.prepare(request);
    const child = provider.execute(operationId);
    const [out, error, exit] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return factsOf(exit.exitCode, out, error);
  } catch (error) {
    return factsOf(null, "", toFailure(error).message);
  } finally {
    await provider.cleanup(operationId);
  }
}
