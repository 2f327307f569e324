import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "../../base/files.ts";
import {
  BUBBLEWRAP_MODES,
  type BubblewrapOptions,
  bubblewrapArguments,
  bubblewrapSandbox,
  findBubblewrap,
} from "./bubblewrap.ts";
import type { Cgroups } from "./cgroups.ts";
import { processSandbox } from "./process.ts";
import { openProvenCgroups } from "./prove-limits.ts";
import type { SandboxCapability, SandboxProvider, SandboxRequest } from "./sandbox.ts";
import { seccompFilter } from "./seccomp.ts";
import { writeSystemFiles } from "./system-root.ts";
import { isolationChecks, type ProbeCheck, runOutside, runTrial, unproven, withTrial } from "./trial.ts";

export interface ProbeResult {
  /** Null when bubblewrap cannot be used; `remedy` then says what to do. */
  readonly bubblewrap: SandboxProvider | null;
  readonly process: SandboxProvider;
  readonly checks: readonly ProbeCheck[];
  readonly remedy: string | null;
}

/** What to do about the words with which bwrap ended. */
export function remedyFor(error: string): string {
  if (/^E[A-Z]+:/.test(error))
    return `bwrap cannot be executed (${error}): apt-get install --reinstall bubblewrap`;
  if (/Can't mount proc/.test(error))
    return `bwrap does not start (${error}): something is mounted over a part of /proc, and then whoever is not root gets no other; in a unit leave out ProtectKernelLogs=, ProtectKernelTunables= and ProcSubset=, in a container its masked paths`;
  if (/Can't set hostname/.test(error))
    return `bwrap does not start (${error}): a filter of system calls forbids it; in a unit leave out ProtectHostname=, and add sethostname to SystemCallFilter=`;
  // Whether it is the kernel that says no shows in bwrap's words alone.
  if (/Can't (mkdir|create|bind|find)/.test(error))
    return `bwrap does not start (${error}): a directory of readOnlyPaths cannot be shown there`;
  return `bwrap does not start (${error || "no message"}): allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces>0)`;
}

type ProbeOptions = Omit<BubblewrapOptions, "cgroups">;

async function probeBubblewrap(
  options: ProbeOptions,
  limiting: Promise<Cgroups | null>,
): Promise<Omit<ProbeResult, "process">> {
  await writeSystemFiles(options.dataDirectory, options.readOnlyPaths);
  return withTrial(options.dataDirectory, async (trial) => {
    const request: SandboxRequest = {
      operationId: "probe",
      mode: "none",
      command: "/bin/sh",
      arguments: [],
      environment: {},
      stdin: undefined,
      directory: trial.work,
      writable: [trial.work],
      mounts: [],
      network: "deny-all",
      memoryBytes: undefined,
      processes: undefined,
    };
    const { filterFile } = options;
    const run = async (network: SandboxRequest["network"]) => {
      const filter = filterFile === null ? null : openSync(filterFile, "r");
      const program = [options.program, ...(filter === null ? [] : ["--seccomp", "3"])];
      const argv = [...program, ...bubblewrapArguments(options, { ...request, network })];
      const facts = runTrial([...argv, ...trial.command("inside")], filter === null ? [] : [filter]);
      if (filter !== null) closeSync(filter);
      return facts;
    };
    const [sandboxed, opened, control] = await Promise.all([run("deny-all"), run("open"), runOutside(trial)]);
    if (sandboxed.exitCode !== 0) {
      return {
        bubblewrap: null,
        checks: [{ name: "bubblewrap", proven: false, detail: sandboxed.error }],
        remedy: remedyFor(sandboxed.error),
      };
    }
    const checks = isolationChecks(sandboxed, opened, control);
    const missing = unproven(checks);
    if (missing.length > 0) {
      return { bubblewrap: null, checks, remedy: `bwrap starts but does not isolate: ${missing.join(", ")}` };
    }
    const cgroups = await limiting;
    const capability: SandboxCapability = {
      provider: "bubblewrap",
      template: "bubblewrap-1",
      boundary: "user-namespace",
      features: [
        ...checks.filter((check) => check.proven).map((check) => check.name),
        ...(cgroups === null ? [] : ["memory-limit", "process-limit"]),
      ],
      modes: BUBBLEWRAP_MODES,
      namespaces: true,
    };
    return { bubblewrap: bubblewrapSandbox({ ...options, cgroups }, capability), checks, remedy: null };
  });
}

/**
 * Which sandboxes this host really has: each claimed control is tried first, beside an unsandboxed control that
 * shows the trial could have failed. What is not proven is not registered.
 */
export async function probeSandboxes(
  options: Pick<BubblewrapOptions, "dataDirectory" | "readOnlyPaths" | "temporaryBytes">,
  limiting = openProvenCgroups(options.dataDirectory),
): Promise<ProbeResult> {
  makePrivateDirectory(options.dataDirectory);
  const plain = async () => processSandbox(options.dataDirectory, await limiting);
  const program = findBubblewrap();
  if (program === null) {
    return {
      process: await plain(),
      bubblewrap: null,
      checks: [{ name: "bubblewrap", proven: false, detail: "bwrap is not installed" }],
      remedy: "bwrap is not installed: apt-get install bubblewrap",
    };
  }
  const filter = seccompFilter();
  const filterFile = filter === null ? null : join(options.dataDirectory, "seccomp.bpf");
  if (filter !== null && filterFile !== null) writeFileSync(filterFile, filter, { mode: 0o600 });
  const probed = await probeBubblewrap({ ...options, program, filterFile }, limiting);
  return { process: await plain(), ...probed };
}
