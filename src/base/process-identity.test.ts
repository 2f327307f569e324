import { expect, test } from "bun:test";
import { hasEnded, processIdentity } from "./process-identity.ts";

test("a process that lives has not ended, and one that was killed has", async () => {
  expect(hasEnded(processIdentity())).toBe(false);
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import("${import.meta.dir}/process-identity.ts").then(({ processIdentity }) => console.log(processIdentity())); setInterval(() => {}, 1000);`,
    ],
    { stdout: "pipe" },
  );
  const identity = Buffer.from((await child.stdout.getReader().read()).value!)
    .toString()
    .trim();
  expect(hasEnded(identity)).toBe(false);
  child.kill("SIGKILL");
  await child.exited;
  expect(hasEnded(identity)).toBe(true);
});

test("the same pid with another start is another process, and what cannot be known has not ended", () => {
  const [boot, namespace, pid] = processIdentity().split("/");
  expect(hasEnded(`${boot}/${namespace}/${pid}/1`)).toBe(true);
  expect(hasEnded(`${boot}/1/${pid}/1`)).toBe(false);
  expect(hasEnded("0193-an-older-owner")).toBe(false);
});
