import { afterAll, afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary } from "../support/binary.ts";
import { FakeController } from "../support/fake-controller.ts";
import { prerequisite } from "../support/require.ts";
import { runnerConfig } from "../support/runner.ts";
import type { ChildOptions } from "../support/runner-child.ts";

setDefaultTimeout(30_000);

const directory = mkdtempSync(join(tmpdir(), "full disk "));
let child: Bun.Subprocess | null = null;
let controller: FakeController;
beforeEach(() => {
  controller = new FakeController({ heartbeatIntervalMs: 50 });
});
afterEach(async () => {
  child?.kill("SIGKILL");
  await child?.exited;
  await controller.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A command in a mount namespace of its own, with a small file system at `data`. */
const onSmallDisk = (data: string, options: string, command: readonly string[]): string[] => [
  ...["unshare", "--map-root-user", "--mount", "sh", "-c"],
  `mount -t tmpfs -o '${options}' none "$0" && exec "$@"`,
  data,
  ...command,
];

let disks = 0;
/** False where this machine cannot make such a disk. */
function startOnSmallDisk(options: string, minimumFreeBytes: number, slots: number): boolean {
  const data = join(directory, `data-${disks++}`);
  mkdirSync(data);
  const tried = Bun.spawnSync(onSmallDisk(data, options, ["true"]));
  if (!prerequisite("userns", tried.exitCode === 0, tried.stderr.toString())) return false;
  const given: ChildOptions = {
    controllerUrl: controller.url,
    enrolmentToken: controller.enrolmentToken,
    config: runnerConfig(data, { sandbox: "process", minimumFreeBytes, slots }),
  };
  const runner = [
    process.execPath,
    join(import.meta.dir, "../support/runner-child.ts"),
    JSON.stringify(given),
  ];
  child = Bun.spawn(onSmallDisk(data, options, runner), {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  return true;
}

test("F48: a task fills the disk of its runner: its result arrives, no lease is taken meanwhile, and work goes on with the space", async () => {
  if (!startOnSmallDisk("size=6m", 65_536, 1)) return;
  const before = controller.shell("echo fits");
  expect((await controller.result(before)).status).toBe("succeeded");
  const filling = controller.shell(
    // A file without a name is nobody's: only the end of the task gives the space back.
    "echo begun; exec 3>fill; rm fill; head -c 100000000 /dev/zero >&3; while :; do sleep 0.05; done",
    {
      limits: { logBytes: 1e6, outputBytes: 1e6, artifactBytes: 1e9, artifactCount: 1 },
    },
  );
  await controller.until(() => controller.heartbeats.at(-1)?.status === "unhealthy");
  const next = controller.shell("echo again");
  await Bun.sleep(300);
  expect(controller.records.get(next)?.starts ?? 0).toBe(0);
  controller.cancel(filling);
  // The end of the task cannot be written down, and is told nevertheless.
  expect(await controller.result(filling)).toMatchObject({
    status: "cancelled",
    errorCode: "execution_cancelled",
  });
  const result = await controller.result(controller.shell("echo again"));
  expect(result.status).toBe("succeeded");
  await controller.until(() => controller.heartbeats.at(-1)?.status === "ready");
  expect(controller.heartbeats.at(-1)).toMatchObject({ journal: "ok", cleanupBacklog: 0 });
});

for (const [what, options, script] of [
  ["space", "size=6m", "head -c 100000000 /dev/zero > fill"],
  ["files", "size=64m,nr_inodes=4000", "mkdir many; cd many; seq 1 100000 | xargs touch"],
] as const) {
  test(`a task that uses up the ${what} of its runner's disk is stopped, and its neighbour is not`, async () => {
    if (!startOnSmallDisk(options, 2 << 20, 2)) return;
    const neighbour = controller.shell("echo begun; sleep 2; echo ended");
    await controller.until(() => controller.records.get(neighbour)?.chunks.stdout.length === 1);
    const filling = controller.shell(`${script}; while :; do sleep 0.05; done`);
    expect(await controller.result(filling)).toMatchObject({
      status: "failed",
      errorCode: "execution_output_too_large",
      summary: expect.stringContaining("disk"),
    });
    expect((await controller.result(neighbour)).status).toBe("succeeded");
    expect(controller.log(neighbour)).toBe("begun\nended\n");
    expect((await controller.result(controller.shell("true"))).status).toBe("succeeded");
  });
}

test("F48: `runner doctor` on a disk without files or space says so, check by check", async () => {
  const data = join(directory, "doctor");
  mkdirSync(data);
  const lf = await binary();
  for (const [options, check] of [
    ["size=200m,nr_inodes=40", { name: "disk", status: "fail", remedy: expect.stringContaining("df -i") }],
    ["size=8m", { name: "disk", status: "fail", remedy: expect.stringContaining("minimumFreeBytes") }],
    [
      "size=8m,nr_inodes=2",
      { name: "data directory", status: "fail", detail: expect.stringContaining("ENOSPC") },
    ],
  ] as const) {
    const config = join(directory, "doctor.yaml");
    writeFileSync(
      config,
      `version: 1\nrunnerId: d\nsandbox: process\ndataDirectory: ${JSON.stringify(join(data, "own"))}\n`,
    );
    const ran = Bun.spawnSync(onSmallDisk(data, options, [lf, "runner", "doctor", "--config", config]), {
      env: { ...process.env, XDG_STATE_HOME: directory, XDG_CONFIG_HOME: directory },
    });
    if (!prerequisite("userns", !ran.stderr.toString().startsWith("unshare"), ran.stderr.toString())) return;
    const { checks } = JSON.parse(ran.stdout.toString()) as { checks: { name: string }[] };
    expect([ran.exitCode, checks.find(({ name }) => name === check.name)]).toMatchObject([1, check]);
  }
});
