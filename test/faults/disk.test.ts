import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeController } from "../support/fake-controller.ts";
import { prerequisite } from "../support/require.ts";
import { runnerConfig } from "../support/runner.ts";
import type { ChildOptions } from "../support/runner-child.ts";

setDefaultTimeout(30_000);

const BWRAP = "/usr/bin/bwrap";
const directory = mkdtempSync(join(tmpdir(), "full disk "));
let child: Bun.Subprocess | null = null;
afterEach(async () => {
  child?.kill("SIGKILL");
  await child?.exited;
  rmSync(directory, { recursive: true, force: true });
});

/** Whether a file system of a few megabytes can be put under one process and its children. */
const hasSmallDisk = () =>
  existsSync(BWRAP) &&
  Bun.spawnSync([BWRAP, "--dev-bind", "/", "/", "--size", "65536", "--tmpfs", directory, "true"]).exitCode ===
    0;

test("F48: a task fills the disk of its runner: its result arrives, no lease is taken meanwhile, and work goes on with the space", async () => {
  if (!prerequisite("userns", hasSmallDisk(), "apt-get install bubblewrap")) return;
  const data = join(directory, "data");
  mkdirSync(data);
  const controller = new FakeController({ heartbeatIntervalMs: 50 });
  try {
    const options: ChildOptions = {
      controllerUrl: controller.url,
      enrolmentToken: controller.enrolmentToken,
      config: runnerConfig(data, { sandbox: "process", minimumFreeBytes: 65_536, slots: 1 }),
    };
    child = Bun.spawn(
      [
        ...[BWRAP, "--die-with-parent", "--dev-bind", "/", "/", "--size", String(6 << 20), "--tmpfs", data],
        ...[process.execPath, join(import.meta.dir, "../support/runner-child.ts"), JSON.stringify(options)],
      ],
      { stdin: "ignore", stdout: "inherit", stderr: "inherit" },
    );
    const before = controller.shell("echo fits");
    expect((await controller.result(before)).status).toBe("succeeded");
    const filling = controller.shell(
      "echo begun; head -c 100000000 /dev/zero > fill; while [ ! -e /nowhere ]; do sleep 0.05; done",
      {
        deadlineMs: 1_500,
        limits: { logBytes: 1e6, outputBytes: 1e6, artifactBytes: 1e9, artifactCount: 1 },
      },
    );
    await controller.until(() => controller.heartbeats.at(-1)?.status === "unhealthy");
    const next = controller.shell("echo again");
    await Bun.sleep(300);
    expect(controller.records.get(next)?.starts ?? 0).toBe(0);
    // The end of the task cannot be written down, and is told nevertheless.
    expect(await controller.result(filling)).toMatchObject({
      status: "timed_out",
      errorCode: "execution_timeout",
    });
    const result = await controller.result(controller.shell("echo again"));
    expect(result.status).toBe("succeeded");
    await controller.until(() => controller.heartbeats.at(-1)?.status === "ready");
    expect(controller.heartbeats.at(-1)).toMatchObject({ journal: "ok", cleanupBacklog: 0 });
  } finally {
    await controller.close();
  }
});
