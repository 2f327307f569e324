import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toFailure } from "../../base/errors.ts";
import { randomToken } from "../../base/ids.ts";
import { namespaceOf } from "./processes.ts";

/** One thing that was tried, and how it went. */
export interface ProbeCheck {
  readonly name: string;
  readonly proven: boolean;
  readonly detail: string;
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

export interface Facts {
  readonly exitCode: number | null;
  readonly has: (line: string) => boolean;
  readonly get: (name: string) => string | undefined;
  readonly error: string;
}

/** The trial's facts from what its script printed. */
export function factsOf(exitCode: number | null, output: string, error: string): Facts {
  const lines = output.split("\n");
  return {
    exitCode,
    has: (line) => lines.includes(line),
    get: (name) => lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1),
    error: error.trim().split("\n").at(-1) ?? "",
  };
}

/** What a trial of a sandbox needs on the host: a file that must not be read, and a port that must not be reached. */
export interface Trial {
  /** Where a sandboxed trial may write. */
  readonly work: string;
  /** The command of the trial. */
  command(where: "inside" | "outside"): string[];
}

export async function withTrial<Result>(
  dataDirectory: string,
  work: (trial: Trial) => Promise<Result>,
): Promise<Result> {
  const directory = join(dataDirectory, `probe-${randomToken(6)}`);
  const canary = join(directory, "canary");
  mkdirSync(join(directory, "work"), { recursive: true, mode: 0o700 });
  writeFileSync(canary, "canary", { mode: 0o600 });
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  try {
    return await work({
      work: join(directory, "work"),
      command: (where) => ["/bin/sh", "-c", SCRIPT, "probe", canary, String(listener.port), where],
    });
  } finally {
    listener.stop(true);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The script as a plain process: what it cannot do there, its failure inside does not prove. */
export const runOutside = (trial: Trial): Promise<Facts> => runTrial(trial.command("outside"));

export async function runTrial(argv: string[], descriptors: number[] = []): Promise<Facts> {
  let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  try {
    child = Bun.spawn(argv, {
      env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      stdio: ["ignore", "pipe", "pipe", ...descriptors],
      timeout: 10_000,
      killSignal: "SIGKILL",
    });
  } catch (error) {
    // A program that is there and may not be executed proves nothing, and keeps no runner from starting.
    return factsOf(null, "", toFailure(error).message);
  }
  const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return factsOf(child.exitCode, out, error);
}

/** Each control, from the trial in a sandbox, in one with the network open, and outside. */
export function isolationChecks(sandboxed: Facts, opened: Facts, control: Facts): ProbeCheck[] {
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
  return [
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
}

/** Names of the required controls that were not proven. */
export const unproven = (checks: readonly ProbeCheck[]): string[] =>
  checks.filter((check) => !check.proven && !OPTIONAL.has(check.name)).map((check) => check.name);
