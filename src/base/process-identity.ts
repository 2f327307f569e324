import { readFileSync, readlinkSync } from "node:fs";

/** Field 22 of `/proc/<pid>/stat` (proc(5)): with the pid it names one process of this boot, also after the pid is used again. */
function startTime(pid: number | "self"): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces and parentheses.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

/** Which kernel and which pid namespace this process counts its pids in. */
function place(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${/\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "?"}`;
  } catch {
    return "?";
  }
}

/** This process as `boot/namespace/pid/start`: the same text never names another one. */
export function processIdentity(): string {
  return `${place()}/${process.pid}/${startTime("self") ?? "?"}`;
}

/**
 * Whether the process behind an identity has certainly ended. False where this cannot be known: under another kernel, in
 * another pid namespace, or where `/proc` cannot be read.
 */
export function hasEnded(identity: string): boolean {
  const [boot, namespace, pid, start] = identity.split("/");
  const [ownBoot, ownNamespace] = place().split("/");
  if ([boot, namespace, pid, start, ownBoot, ownNamespace].some((part) => part === undefined || part === "?"))
    return false;
  if (boot !== ownBoot) return false;
  return namespace === ownNamespace && startTime(Number(pid)) !== start;
}
