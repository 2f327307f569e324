import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "../base/ids.ts";
import { exampleLease } from "../protocol/example.ts";
import { execLease } from "./exec.ts";

const directory = mkdtempSync(join(tmpdir(), "exec "));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const lease = (script: string, overrides = {}) => {
  const leaseId = newId();
  return exampleLease({
    leaseId,
    workspace: { mode: "ephemeral", key: leaseId },
    task: { type: "run.shell", command: "sh", arguments: ["-c", script], environment: {} },
    ...overrides,
  });
};

test("a lease runs with no server: its output is shown, its artifacts are kept, its result is returned", async () => {
  let shown = "";
  const write = (stream: string, bytes: Uint8Array) => {
    shown += `${stream}:${Buffer.from(bytes)}`;
  };
  const one = lease("echo hello; echo data > file", { artifacts: [{ path: "file" }] });
  const result = await execLease(one, { dataDirectory: directory, write });
  expect(result).toMatchObject({ status: "succeeded", exitCode: 0 });
  expect(shown).toContain("stdout:hello\n");
  const [artifact] = result.artifactRefs;
  const stored = join(directory, "artifacts", "sha256", artifact!.sha256.slice(0, 2), artifact!.sha256);
  expect(await Bun.file(stored).text()).toBe("data\n");
  expect(execLease(one, { dataDirectory: directory, write })).rejects.toMatchObject({ code: "lease_used" });
  await Bun.sleep(20);
});

test("an abort cancels the task, and a value that is no lease is refused by its first wrong field", async () => {
  const controller = new AbortController();
  const marker = join(directory, "begun");
  const running = execLease(
    lease(`touch '${marker}'; sleep 60`, {
      mounts: [{ source: directory, target: directory, readOnly: false }],
    }),
    { dataDirectory: join(directory, "second"), signal: controller.signal, write() {} },
  );
  while (!existsSync(marker)) await Bun.sleep(10);
  controller.abort();
  expect(await running).toMatchObject({ status: "cancelled" });
  expect(execLease({ ...lease("true"), extra: 1 }, { dataDirectory: directory })).rejects.toMatchObject({
    code: "schema_violation",
    message: expect.stringContaining("/extra"),
  });
});
