import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { lowerSessions } from "./processes.ts";

test("a sandbox that takes its time to become a session inside is lowered once it has, and so is what started it", async () => {
  const group = "/proc/self/autogroup";
  const lowered = `for i in $(seq 400); do grep -q "nice 10" ${group} && break; sleep 0.02; done; sed "s/.* //" ${group}`;
  const child = Bun.spawn(["sh", "-c", `sleep 0.3; setsid sh -c '${lowered}'; ${lowered}`], {
    detached: true,
    stdout: "pipe",
    stderr: "ignore",
  });
  await lowerSessions(child.pid, true, 10, () => child.exitCode === null);
  // Where the kernel weighs no sessions there is nothing to lower.
  expect(await child.stdout.text()).toBe(existsSync(group) ? "10\n10\n" : "");
});
