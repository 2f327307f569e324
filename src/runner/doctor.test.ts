import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runnerConfig } from "../../test/support/runner.ts";
import { diagnoseRunner } from "./doctor.ts";
import { KubernetesServer } from "./sandboxes/remote/testing/kubernetes-server.ts";

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

test("a sandbox of another host is asked whether it answers, and one that is not said where is told what to write", async () => {
  const directory = temporary();
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, "right");
  const cluster = new KubernetesServer("right");
  const config = runnerConfig(join(directory, "data"), {
    sandbox: "kubernetes",
    kubernetes: {
      apiServer: cluster.url,
      tokenFile,
      namespace: "tasks",
      image: `registry.example/task@sha256:${"0".repeat(64)}`,
      volumeClaim: "data",
    },
  });
  const asked = async () => (await diagnoseRunner(config)).find(({ name }) => name === "sandbox: kubernetes");
  expect(await asked()).toMatchObject({ status: "ok", detail: expect.stringContaining("networkPolicy") });
  writeFileSync(tokenFile, "wrong");
  expect(await asked()).toMatchObject({
    status: "fail",
    detail: expect.stringContaining("401"),
    remedy: expect.stringContaining("service account"),
  });
  await cluster.close();
  expect(await asked()).toMatchObject({ status: "fail", remedy: expect.stringContaining("apiServer") });
  // Whatever asked for it: a runner.yaml, or a setting of the local runner.
  for (const [sandbox, key] of [
    ["kubernetes", "kubernetes: {apiServer"],
    ["cubesandbox", "cube: {url"],
    ["vm", "vmImageId"],
  ] as const) {
    const [failed, ...rest] = await diagnoseRunner(runnerConfig(join(directory, "data"), { sandbox }));
    expect({ failed, rest }).toMatchObject({
      failed: { name: "configuration", status: "fail", remedy: expect.stringContaining(key) },
      rest: [],
    });
  }
});
