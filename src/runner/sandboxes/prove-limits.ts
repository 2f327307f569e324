import { closeSync, writeSync } from "node:fs";
import { MIB } from "../../base/limits.ts";
import { type CgroupLimits, type Cgroups, openCgroups } from "./cgroups.ts";

/** Run a script inside a fresh group, from its first instruction on. */
async function runLimited(
  cgroups: Cgroups,
  name: string,
  limits: CgroupLimits,
  script: string,
): Promise<string> {
  const group = cgroups.create(name, limits);
  const child = Bun.spawn(["/bin/sh", "-c", `read -r _ <&3; exec 3<&-; ${script}`], {
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["ignore", "pipe", "ignore", "pipe"],
    timeout: 5_000,
    killSignal: "SIGKILL",
  });
  const gate = child.stdio[3] as unknown as number;
  try {
    await group.add(child.pid);
    writeSync(gate, "\n");
  } finally {
    closeSync(gate);
  }
  const [out] = await Promise.all([child.stdout.text(), child.exited]);
  group.kill();
  for (let round = 0; round < 40 && !group.remove(); round++) await Bun.sleep(5);
  return out.trim();
}

/**
 * Whether the kernel really stops a task that has too many processes or too much memory, and lets the same task
 * pass without limits.
 */
async function proveLimits(cgroups: Cgroups): Promise<boolean> {
  const forks = "(for i in 1 2 3 4 5 6 7 8; do sleep 0.02 & done; wait; echo forked)";
  // One buffer of this size. The limit leaves room for the programs themselves, or they would only crawl.
  const memory = `dd if=/dev/zero of=/dev/null bs=${64 * MIB} count=1 && echo held`;
  const free = { memoryBytes: undefined, processes: undefined };
  try {
    const [fewForks, allForks, littleMemory, allMemory] = await Promise.all([
      runLimited(cgroups, "probe-forks", { ...free, processes: 4 }, forks),
      runLimited(cgroups, "probe-forks-free", free, forks),
      runLimited(cgroups, "probe-memory", { ...free, memoryBytes: 32 * MIB }, memory),
      runLimited(cgroups, "probe-memory-free", free, memory),
    ]);
    return fewForks !== "forked" && allForks === "forked" && littleMemory !== "held" && allMemory === "held";
  } catch {
    return false;
  }
}

/** What was proven holds for this process's place in the hierarchy, so once is enough. */
let proven: Promise<boolean> | null = null;

/** Groups of processes, where the host lets the runner make them and they really limit; else null. */
export async function openProvenCgroups(dataDirectory: string): Promise<Cgroups | null> {
  const cgroups = openCgroups(dataDirectory);
  if (cgroups === null) return null;
  proven ??= proveLimits(cgroups);
  return (await proven) ? cgroups : null;
}
