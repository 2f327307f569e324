import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeController } from "../../test/support/fake-controller.ts";
import type { RunnerConfig } from "./config.ts";
import { type RunningRunner, startRunner } from "./runner.ts";

const directories: string[] = [];
const runners: RunningRunner[] = [];
const controllers: FakeController[] = [];

afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.stop()));
  await Promise.all(controllers.splice(0).map((controller) => controller.close()));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function start(config: Partial<RunnerConfig> = {}, controller = new FakeController()) {
  const directory = mkdtempSync(join(tmpdir(), "runner "));
  directories.push(directory);
  const runner = startRunner({
    controllerUrl: controller.url,
    enrolmentToken: controller.enrolmentToken,
    config: {
      runnerId: "local",
      tenantId: "default",
      hostId: "localhost",
      runnerPools: ["default"],
      executionProfiles: ["default"],
      dataDirectory: join(directory, "data"),
      slots: 4,
      mounts: ["/"],
      killGraceMs: 300,
      ...config,
    },
  });
  runners.push(runner);
  controllers.push(controller);
  return { controller, runner, directory };
}

test("a command runs once, its logs arrive whole and in order, and its result is accepted", async () => {
  const { controller, runner } = start();
  const lease = controller.shell("for i in 1 2 3; do echo out $i; echo err $i >&2; done");
  const result = await controller.result(lease);
  expect(result).toMatchObject({ status: "succeeded", exitCode: 0, signal: null, output: null });
  expect(controller.log(lease)).toBe("out 1\nout 2\nout 3\n");
  expect(controller.log(lease, "stderr")).toBe("err 1\nerr 2\nerr 3\n");
  const record = controller.record(lease);
  expect(record.finals).toEqual({ stdout: true, stderr: true });
  expect(record.starts).toBe(1);
  expect(Buffer.from(controller.artifacts.get(result.stdoutRef!.split("/").at(-1)!)!).toString()).toBe(
    controller.log(lease),
  );
  await runner.ready;
});
