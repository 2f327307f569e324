import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";

interface Check {
  name: string;
  status: "ok" | "warn" | "fail";
  detail: string;
  remedy: string | null;
}

const box = sandbox("lf doctor");
afterAll(box.remove);

async function doctor(
  env: Record<string, string> = {},
): Promise<{ code: number; checks: Map<string, Check> }> {
  const { code, stdout } = await runBinary(["doctor", "--json"], {
    env: { ...box.env, ...env },
    cwd: box.path,
  });
  const { checks } = JSON.parse(stdout) as { checks: Check[] };
  for (const check of checks) {
    expect(Object.keys(check)).toEqual(["name", "status", "detail", "remedy"]);
    expect(check.remedy === null).toBe(check.status === "ok");
  }
  return { code, checks: new Map(checks.map((check) => [check.name, check])) };
}

test("on this machine everything that a run needs is there, and nothing stays behind", async () => {
  const before = readdirSync(box.path, { recursive: true }).sort();
  const { code, checks } = await doctor({ LIGHTFLOW_PORT: "0", LIGHTFLOW_CONTROLLER_PORT: "0" });
  expect([...checks.values()].filter((check) => check.status === "fail")).toEqual([]);
  expect(code).toBe(0);
  for (const name of ["platform", "asset parser", "store", "git", "sandbox", "FUSE", "disk space"]) {
    expect(checks.has(name)).toBe(true);
  }
  expect(readdirSync(box.path, { recursive: true }).sort()).toEqual(before);
});

test("a state directory that cannot be written fails with its remedy, exit code 1", async () => {
  const { code, checks } = await doctor({ XDG_STATE_HOME: "/proc/lightflow-state" });
  expect(code).toBe(1);
  expect(checks.get("state directory")).toMatchObject({ status: "fail" });
  expect(checks.get("state directory")?.remedy).toContain("XDG_STATE_HOME");
  expect(checks.get("store")?.status).toBe("fail");
});

test("a temporary directory that is not there fails with its remedy", async () => {
  const { code, checks } = await doctor({ TMPDIR: join(box.path, "missing") });
  expect(code).toBe(1);
  expect(checks.get("temporary directory")?.remedy).toContain("TMPDIR");
});

test("without bwrap and git in PATH the one is a warning, the other a failure", async () => {
  const bin = join(box.path, "bin");
  mkdirSync(bin);
  symlinkSync("/bin/true", join(bin, "unrelated"));
  const { code, checks } = await doctor({ PATH: bin });
  expect(code).toBe(1);
  expect(checks.get("git")).toMatchObject({ status: "fail" });
  expect(checks.get("sandbox")).toMatchObject({ status: "warn" });
  expect(checks.get("sandbox")?.remedy).toContain("bubblewrap");
});

test("a bwrap that cannot make a sandbox is a warning with the reason", async () => {
  const bin = join(box.path, "broken-bin");
  mkdirSync(bin);
  const script =
    '#!/bin/sh\n[ "$1" = --version ] && echo "bubblewrap 9" && exit 0\necho "no namespaces" >&2\nexit 1\n';
  writeFileSync(join(bin, "bwrap"), script, { mode: 0o755 });
  const { checks } = await doctor({ PATH: `${bin}:${box.env["PATH"]}` });
  expect(checks.get("sandbox")).toMatchObject({ status: "warn" });
  expect(checks.get("sandbox")?.detail).toContain("no namespaces");
});

test("a port of another program is a warning that names the setting", async () => {
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("other") });
  try {
    const { code, checks } = await doctor({
      LIGHTFLOW_PORT: String(other.port),
      LIGHTFLOW_CONTROLLER_PORT: "0",
    });
    expect(code).toBe(0);
    expect(checks.get("gateway port")).toMatchObject({ status: "warn" });
    expect(checks.get("gateway port")?.remedy).toContain("set port in config.yaml");
  } finally {
    await other.stop(true);
  }
});

test("a broken setting fails by its name", async () => {
  const { code, checks } = await doctor({ LIGHTFLOW_PORT: "many" });
  expect(code).toBe(1);
  expect(checks.get("settings")?.detail).toContain("LIGHTFLOW_PORT");
});
