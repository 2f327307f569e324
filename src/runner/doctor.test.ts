import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runnerConfig } from "../../test/support/runner.ts";
import { diagnoseRunner } from "./doctor.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "doctor "));
  directories.push(directory);
  return directory;
}

test("each thing a runner needs is tried, and what fails names its remedy", async () => {
  const directory = temporary();
  const open = join(directory, "open-secret");
  writeFileSync(open, "long enough a secret");
  chmodSync(open, 0o644);
  const server = Bun.serve({
    port: 0,
    fetch: () =>
      new Response("{}", {
        headers: { "lightflow-protocol": "1.0", date: new Date(Date.now() - 3_600_000).toUTCString() },
      }),
  });
  const config = runnerConfig(join(directory, "data"), {
    mounts: ["/usr", "/no/such/root"],
    secrets: { open: { file: open }, missing: { env: "SURELY_NOT_SET_ANYWHERE" } },
  });
  const checks = await diagnoseRunner(config, { controllerUrl: `http://127.0.0.1:${server.port}` });
  await server.stop(true);
  const by = new Map(checks.map((check) => [check.name, check]));
  for (const name of ["configuration", "data directory", "journal", "disk", "mount /usr", "controller"]) {
    expect(by.get(name)).toMatchObject({ status: "ok", remedy: null });
  }
  expect(by.get("mount /no/such/root")).toMatchObject({ status: "fail" });
  expect(by.get("secret open")).toMatchObject({ status: "fail", remedy: `chmod 600 '${open}'` });
  expect(by.get("secret missing")).toMatchObject({ status: "fail" });
  expect(by.get("clock")).toMatchObject({ status: "warn" });
  expect(checks.some((check) => check.name.startsWith("sandbox "))).toBe(true);
  for (const check of checks) expect(check.status === "ok").toBe(check.remedy === null);
});

test("an unknown field, and a server that is no controller, are told", async () => {
  expect(await diagnoseRunner({ ...runnerConfig("/tmp/x"), extra: 1 })).toMatchObject([
    { name: "configuration", status: "fail", detail: "/extra: unknown field" },
  ]);
  const server = Bun.serve({ port: 0, fetch: () => new Response("hello") });
  const checks = await diagnoseRunner(runnerConfig(join(temporary(), "data")), {
    controllerUrl: `http://127.0.0.1:${server.port}/`,
  });
  await server.stop(true);
  expect(checks.find((check) => check.name === "controller")).toMatchObject({ status: "fail" });
});
