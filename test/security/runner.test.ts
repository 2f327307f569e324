import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../../src/base/ids.ts";
import { LIMITS } from "../../src/base/limits.ts";
import { exampleLease } from "../../src/protocol/example.ts";
import type { UnsignedLease } from "../../src/protocol/index.ts";
import { runBinary, type Sandbox, sandbox } from "../support/binary.ts";

setDefaultTimeout(60_000);

let box: Sandbox;
beforeAll(() => {
  box = sandbox("lease");
  mkdirSync(join(box.path, "inside"));
});
afterAll(() => box.remove());

/** What the executable makes of one lease that no controller of ours would write. */
async function exec(overrides: Partial<UnsignedLease>, script = "true") {
  const leaseId = newId();
  const lease = exampleLease({
    leaseId,
    workspace: { mode: "ephemeral", key: leaseId },
    task: { type: "run.shell", command: "sh", arguments: ["-c", script], environment: {} },
    ...overrides,
  });
  const ran = await runBinary(["runner", "exec", "-", "--json"], {
    env: { ...box.env, LIGHTFLOW_RUNNER_SANDBOX: "process" },
    cwd: box.path,
    stdin: JSON.stringify(lease),
  });
  const answer = JSON.parse(ran.stdout === "" ? ran.stderr : ran.stdout) as Record<string, unknown>;
  return {
    code: ran.code,
    error: (answer["errorCode"] ?? answer["code"]) as string,
    artifacts: answer["artifactRefs"],
  };
}

test("X.2: the socket of a container engine, the kernel's file systems and the runner's own directory are never mounted", async () => {
  for (const source of ["/var/run/docker.sock", "/sys/fs/cgroup"]) {
    const ran = await exec({ mounts: [{ source, target: "/mnt/x", readOnly: true }] });
    expect({ source, failed: ran.code !== 0, code: ran.error }).toEqual({
      source,
      failed: true,
      code: expect.stringMatching(/^(execution_policy_denied|not_found)$/) as never,
    });
  }
});

test("X.4: paths that lead out, links, pipes and files over the limit are no artifacts, and nothing of them is exported", async () => {
  const cases: [string, string, Partial<UnsignedLease>][] = [
    ["true", "../x", {}],
    ["true", "/etc/passwd", {}],
    ["true", "a/../../b", {}],
    ["true", "a\u0000b", {}],
    ["mkdir d; ln -s /etc d/out", "d/out/passwd", {}],
    ["mkfifo pipe", "pipe", {}],
    ["echo 12345 >big", "big", { limits: { ...exampleLease().limits, artifactBytes: 5 } }],
    [
      "for i in 1 2 3; do echo $i >f$i; done",
      "f*",
      { limits: { ...exampleLease().limits, artifactCount: 2 } },
    ],
  ];
  for (const [script, path, more] of cases) {
    const ran = await exec({ ...more, artifacts: [{ path }] }, script);
    expect({ path, failed: ran.code !== 0, artifacts: ran.artifacts ?? [] }).toEqual({
      path,
      failed: true,
      artifacts: [],
    });
  }
  expect(LIMITS.artifactCount).toBe(1024);
});

test("X.6: a lease has no place for an authority of its own or for switching checks off, nor has a task's environment", async () => {
  for (const extra of [{ tls: { verify: false } }, { certificateAuthority: "x" }, { trust: [] }]) {
    expect((await exec(extra as never)).error).toBe("schema_violation");
  }
  const environment = { LD_PRELOAD: "/tmp/x.so" };
  const ran = await exec({ task: { type: "run.shell", command: "true", arguments: [], environment } });
  expect(ran.error).toBe("execution_policy_denied");
});
