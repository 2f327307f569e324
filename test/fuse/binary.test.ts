import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fuseMountAt } from "../../cortexfs/fuse/mountinfo.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, startBinary } from "../support/processes.ts";
import { notRun } from "./support.ts";

setDefaultTimeout(60_000);

/** Commit a chat request as any program would, and wait for its answer. Never synchronously on the mount's own process. */
async function ask(root: string, id: string): Promise<string> {
  const home = join(root, "home", String(process.getuid!()), "api/openai.chat");
  const staged = join(home, "inbox", `${id}.tmp`);
  writeFileSync(staged, JSON.stringify({ model: "demo", messages: [{ role: "user", content: "hello" }] }));
  renameSync(staged, join(home, "inbox", `${id}.req.json`));
  const answer = join(home, "outbox", `${id}.resp.json`);
  await eventually(async () => existsSync(answer), Boolean, 20);
  return readFileSync(answer, "utf8");
}

describe.skipIf(notRun() !== undefined)("the executable alone", () => {
  test("mounts, answers a request through files, says its status and unmounts", async () => {
    const box = sandbox("ctx binary");
    const at = join(box.path, "ctx");
    try {
      mkdirSync(at);
      const daemon = await startBinary(["ctx", "mount", "--at", at], box.env, box.path);
      expect(await ask(at, "one")).toContain("hello");
      const status = await runBinary(["ctx", "status", "--at", at], { env: box.env, cwd: box.path });
      expect(JSON.parse(status.stdout)).toMatchObject({ state: "alive", status: "ready" });
      expect(await daemon.stop()).toBe(143);
      expect(fuseMountAt(at)).toBeUndefined();
    } finally {
      box.remove();
    }
  });

  test("`up` takes FUSE, says so, and leaves no mount behind: neither when it stops nor when it is killed", async () => {
    const box = sandbox("ctx up");
    const at = join(box.path, "ctx");
    try {
      mkdirSync(at);
      const up = () =>
        startBinary(["up", "--port", "0", "--controller-port", "0", "--ctx", at], box.env, box.path);
      const first = await up();
      await eventually(
        async () => fuseMountAt(at),
        (entry) => entry !== undefined,
        20,
      );
      expect(await ask(at, "two")).toContain("hello");
      expect(await first.stop()).toBe(143);
      expect(fuseMountAt(at)).toBeUndefined();

      const second = await up();
      await eventually(
        async () => fuseMountAt(at),
        (entry) => entry !== undefined,
        20,
      );
      await second.kill();
      await eventually(
        async () => fuseMountAt(at),
        (entry) => entry === undefined,
        20,
      );
    } finally {
      box.remove();
    }
  });
});
