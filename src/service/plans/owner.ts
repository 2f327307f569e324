import { readFileSync } from "node:fs";

/** When a process began, in ticks since boot: with its id it names one process and no later one. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; the 20th field after it is the start time (proc(5)).
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

const boot = (): string => {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
};

/** This process, for as long as it lives. */
export const thisProcess = (): string => `${boot()}/${process.pid}/${startOf(process.pid)}`;

/** Whether the process that called itself so is still there. */
export function isAlive(owner: string): boolean {
  const [at, pid, start] = owner.split("/");
  return at === boot() && startOf(Number(pid)) === start;
}
