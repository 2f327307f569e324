/**
 * Run a command while one of its processes stands still now and then, as on a machine with too much to do:
 * `bun scripts/stall.ts bun test --timeout 20000 ./test/faults/kill.test.ts`. Brings out tests that take a time for a state,
 * without a load that others feel. `STALL_MS` is the longest stand, 700 unless said. Exit code: that of the command.
 */
import { readdirSync, readFileSync } from "node:fs";

const longest = Number(process.env["STALL_MS"] ?? 700);
const [command, ...args] = process.argv.slice(2);
if (command === undefined) {
  console.error("usage: bun scripts/stall.ts COMMAND ...");
  process.exit(2);
}

/** The process and all below it that have not been stopped by somebody else. */
function family(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (!"RSD".includes(state!)) continue;
      const siblings = children.get(Number(parent)) ?? [];
      children.set(Number(parent), [...siblings, Number(name)]);
    } catch {
      // Gone.
    }
  }
  const all = [root];
  for (const pid of all) all.push(...(children.get(pid) ?? []));
  return all;
}

function signal(pid: number, name: "SIGSTOP" | "SIGCONT"): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone.
  }
}

const child = Bun.spawn([command, ...args], { stdin: "inherit", stdout: "inherit", stderr: "inherit" });
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => child.kill(name));
while (child.exitCode === null && child.signalCode === null) {
  await Promise.race([child.exited, Bun.sleep(50 + Math.random() * 550)]);
  const running = family(child.pid);
  // The one that was started is half of it: what waits is there.
  const chosen = Math.random() < 0.5 ? child.pid : running[Math.floor(Math.random() * running.length)]!;
  signal(chosen, "SIGSTOP");
  await Bun.sleep(20 + Math.random() * longest);
  signal(chosen, "SIGCONT");
}
process.exit(child.exitCode ?? 1);
