import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Send a signal; false when there is nobody to receive it. A negative pid is a process group. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Direct children of a process, as the kernel lists them. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

function isZombie(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) === "Z";
  } catch {
    return true;
  }
}

/**
 * Processes whose first environment held `name=value…` (a prefix match on the value). The environment is inherited
 * over fork, setsid and exec, so this finds what left the process group. It misses a program that was started with
 * a cleared environment on purpose: only a PID namespace holds that one.
 */
export function processesWithEnvironment(name: string, valuePrefix: string): number[] {
  const needle = Buffer.from(`${name}=${valuePrefix}`);
  const found: number[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || entry === String(process.pid)) continue;
    let environment: Buffer;
    try {
      environment = readFileSync(`/proc/${entry}/environ`);
    } catch {
      continue;
    }
    const at = environment.indexOf(needle);
    if (at === -1 || (at > 0 && environment[at - 1] !== 0) || isZombie(entry)) continue;
    found.push(Number(entry));
  }
  return found;
}

/** The id of a namespace of a process, such as `net:[4026531840]`, or null when it cannot be read. */
export function namespaceOf(pid: number | "self", kind: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return null;
  }
}
