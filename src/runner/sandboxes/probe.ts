import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "../../base/files.ts";
import { randomToken } from "../../base/ids.ts";
import {
  BUBBLEWRAP_MODES,
  type BubblewrapOptions,
  bubblewrapArguments,
  bubblewrapSandbox,
  findBubblewrap,
} from "./bubblewrap.ts";
import type { Cgroups } from "./cgroups.ts";
import { processSandbox } from "./process.ts";
import { namespaceOf } from "./processes.ts";
import { openProvenCgroups } from "./prove-limits.ts";
import type { SandboxCapability, SandboxProvider, SandboxRequest } from "./sandbox.ts";
import { seccompFilter } from "./seccomp.ts";
import { writeSystemFiles } from "./system-root.ts";

/** One thing that was tried, and how it went. */
export interface ProbeCheck {
  readonly name: string;
  readonly proven: boolean;
  readonly detail: string;
}

export interface ProbeResult {
  /** Null when bubblewrap cannot be used; `remedy` then says what to do. */
  readonly bubblewrap: SandboxProvider | null;
  readonly process: SandboxProvider;
  readonly checks: readonly ProbeCheck[];
  readonly remedy: string | null;
}

/** Good to have, but isolation stands without it: a machine may have no filter of ours, or no network to share. */
const OPTIONAL: ReadonlySet<string> = new Set(["network-open", "seccomp"]);

/** Each line is one fact about what the task can reach. `$1` is a file of the host, `$2` a port on its loopback. */
const SCRIPT = `
for ns in user net pid mnt ipc uts; do echo "$ns=$(readlink /proc/self/ns/$ns)"; done
test -r "$1" && echo canary=read
echo "capabilities=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
echo "seccomp=$(sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status)"
unshare --user true 2>/dev/null || echo unshare=refused
echo "privileges=$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status)"
if [ "$3" = inside ]; then
  (cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern) 2>/dev/null && echo sysctl=written
  (: > /usr/.lightflow-probe) 2>/dev/null && { rm -f /usr/.lightflow-probe; echo system=written; }
fi
if command -v bash >/dev/null; then
  bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0' "$2" 2>/dev/null && echo loopback=reached
  echo loopback=tried
fi
`;

interface Facts {
  readonly exitCode: number | null;
  readonly has: (line: string) => boolean;
  readonly get: (name: string) => string | undefined;
  readonly error: string;
}

async function runScript(
  prefix: string[],
  canary: string,
  port: number,
  filterFile: string | null,
): Promise<Facts> {
  const where = prefix.length > 0 ? "inside" : "outside";
  const filter = filterFile === null ? null : openSync(filterFile, "r");
  const child = Bun.spawn([...prefix, "/bin/sh", "-c", SCRIPT, "probe", canary, String(port), where], {
    env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    stdio: ["ignore", "pipe", "pipe", ...(filter === null ? [] : [filter])],
    timeout: 10_000,
    killSignal: "SIGKILL",
  });
  if (filter !== null) closeSync(filter);
  const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const lines = out.split("\n");
  return {
    exitCode: child.exitCode,
    has: (line) => lines.includes(line),
    get: (name) => lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1),
    error: error.trim().split("\n").at(-1) ?? "",
  };
}

function remedyFor(error: string): string {
  return `bwrap does not start (${error || "no message"}): allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces>0)`;
}

type ProbeOptions = Omit<BubblewrapOptions, "cgroups">;

async function probeBubblewrap(
  options: ProbeOptions,
  limiting: Promise<Cgroups | null>,
): Promise<Omit<ProbeResult, "process">> {
  const directory = join(options.dataDirectory, `probe-${randomToken(6)}`);
  const work = join(directory, "work");
  const canary = join(directory, "canary");
  mkdirSync(work, { recursive: true, mode: 0o700 });
  await writeSystemFiles(options.dataDirectory);
  writeFileSync(canary, "canary", { mode: 0o600 });
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  try {
    const request: SandboxRequest = {
      operationId: "probe",
      mode: "none",
      command: "/bin/sh",
      arguments: [],
      environment: {},
      stdin: undefined,
      directory: work,
      writable: [work],
      mounts: [],
      network: "deny-all",
      memoryBytes: undefined,
      processes: undefined,
    };
    const { filterFile } = options;
    const program = [options.program, ...(filterFile === null ? [] : ["--seccomp", "3"])];
    const inside = [...program, ...bubblewrapArguments(options, request)];
    const open = [...program, ...bubblewrapArguments(options, { ...request, network: "open" })];
    // The same script outside is the control: what it cannot do there, its failure inside does not prove.
    const [sandboxed, opened, control] = await Promise.all([
      runScript(inside, canary, listener.port, filterFile),
      runScript(open, canary, listener.port, filterFile),
      runScript([], canary, listener.port, null),
    ]);
    if (sandboxed.exitCode !== 0) {
      return {
        bubblewrap: null,
        checks: [{ name: "bubblewrap", proven: false, detail: sandboxed.error }],
        remedy: remedyFor(sandboxed.error),
      };
    }
    const apart = (kind: string): ProbeCheck => {
      const own = namespaceOf("self", kind);
      const seen = sandboxed.get(kind);
      return {
        name: `${kind}-namespace`,
        proven: own !== null && seen !== undefined && seen !== "" && seen !== own,
        detail: `${own ?? "?"} on the host, ${seen || "?"} inside`,
      };
    };
    const loopback = control.has("loopback=reached");
    const checks: ProbeCheck[] = [
      ...["user", "pid", "mnt", "ipc", "uts"].map(apart),
      {
        name: "network-deny",
        proven: apart("net").proven && !(loopback && sandboxed.has("loopback=reached")),
        detail: loopback
          ? `host loopback ${sandboxed.has("loopback=reached") ? "reached" : "not reached"}`
          : "own network namespace",
      },
      {
        name: "network-open",
        proven: opened.exitCode === 0 && (!loopback || opened.has("loopback=reached")),
        detail: "shares the host's network when a lease says so",
      },
      {
        name: "file-isolation",
        proven: control.has("canary=read") && !sandboxed.has("canary=read"),
        detail: "a host file outside the workspace is not readable",
      },
      {
        name: "read-only-system",
        proven: !sandboxed.has("system=written") && !sandboxed.has("sysctl=written"),
        detail: "neither /usr nor /proc/sys can be written",
      },
      {
        name: "capabilities-dropped",
        proven: /^0+$/.test(sandboxed.get("capabilities") ?? ""),
        detail: `CapEff ${sandboxed.get("capabilities")}`,
      },
      {
        name: "seccomp",
        proven:
          sandboxed.get("seccomp") === "2" &&
          sandboxed.has("unshare=refused") &&
          !control.has("unshare=refused"),
        detail: `Seccomp ${sandboxed.get("seccomp")}`,
      },
      {
        name: "no-new-privileges",
        proven: sandboxed.get("privileges") === "1",
        detail: `NoNewPrivs ${sandboxed.get("privileges")}`,
      },
    ];
    const missing = checks.filter((check) => !check.proven && !OPTIONAL.has(check.name));
    if (missing.length > 0) {
      const names = missing.map((check) => check.name).join(", ");
      return { bubblewrap: null, checks, remedy: `bwrap starts but does not isolate: ${names}` };
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
    };
    return { bubblewrap: bubblewrapSandbox({ ...options, cgroups }, capability), checks, remedy: null };
  } finally {
    listener.stop(true);
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Which sandboxes this host really has: each claimed control is tried first, beside an unsandboxed control that
 * shows the trial could have failed. What is not proven is not registered.
 */
export async function probeSandboxes(
  options: Pick<BubblewrapOptions, "dataDirectory" | "readOnlyPaths" | "temporaryBytes">,
): Promise<ProbeResult> {
  makePrivateDirectory(options.dataDirectory);
  const limiting = openProvenCgroups(options.dataDirectory);
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
