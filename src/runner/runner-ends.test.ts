import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FakeController } from "../../test/support/fake-controller.ts";
import { processesRunning, runnerBenches } from "../../test/support/runner.ts";
import { until } from "../../test/support/until.ts";
import { ManualClock } from "../base/clock.ts";

setDefaultTimeout(30_000);

/** A command of this process's tests alone: others may run the same ones on this machine. */
const sleeping = `sleep 61.${process.pid}`;

const benches = runnerBenches();
afterEach(() => benches.close());

describe("ends", () => {
  for (const sandbox of ["process", "auto"] as const) {
    test(`F40: a task over its time is asked, then ended, and reported as timed out (${sandbox})`, async () => {
      // Their time stands still until both have said what they do when they are asked.
      const clock = new ManualClock(Date.now());
      const [patient, hasty] = [10_000, 300].map(
        (killGraceMs) => benches.start({ sandbox, killGraceMs }, {}, { clock }).controller,
      ) as [FakeController, FakeController];
      const forever = "echo begun; while :; do sleep 0.05; done";
      const polite = patient.shell(`trap 'echo asked; exit 3' TERM; ${forever}`, { deadlineMs: 300 });
      const deaf = hasty.shell(`trap '' TERM; ${forever}`, { deadlineMs: 300 });
      await patient.until(() => patient.records.get(polite)?.chunks.stdout.length === 1);
      await hasty.until(() => hasty.records.get(deaf)?.chunks.stdout.length === 1);
      clock.advance(300);
      const [first, second] = [await patient.result(polite), await hasty.result(deaf)];
      expect(first).toMatchObject({ status: "timed_out", errorCode: "execution_timeout", exitCode: 3 });
      expect(patient.log(polite)).toBe("begun\nasked\n");
      expect(second).toMatchObject({ status: "timed_out", errorCode: "execution_timeout" });
    });

    test(`F34, F35: a cancelled task is ended with all that it started (${sandbox})`, async () => {
      const { controller, directory } = benches.start({ sandbox });
      const alive = join(directory, "alive");
      mkdirSync(alive);
      // A child that ignores TERM, and a grandchild that left group and session.
      const lease = controller.shell(
        `trap '' TERM; (trap '' TERM; while :; do echo a > '${alive}/child'; sleep 0.02; done) & setsid sh -c "trap '' TERM; while :; do echo b > '${alive}/daemon'; sleep 0.02; done" & echo begun; wait`,
        { mounts: [{ source: alive, target: alive, readOnly: false }] },
      );
      await controller.until(() => controller.records.get(lease)?.chunks.stdout.length === 1);
      await controller.until(() => readdirSync(alive).length === 2);
      controller.cancel(lease);
      expect(await controller.result(lease)).toMatchObject({
        status: "cancelled",
        errorCode: "execution_cancelled",
      });
      for (const name of readdirSync(alive)) writeFileSync(join(alive, name), "");
      await Bun.sleep(150);
      expect(readdirSync(alive).map((name) => readFileSync(join(alive, name), "utf8"))).toEqual(["", ""]);
    });
  }

  test("F35: what a finished task left running is ended, and a pipe it holds does not keep the result back", async () => {
    const { controller } = benches.start({ sandbox: "process" });
    const lease = controller.shell(`setsid ${sleeping} & echo done`);
    expect(await controller.result(lease)).toMatchObject({ status: "succeeded" });
    expect(controller.log(lease)).toBe("done\n");
    expect(processesRunning(sleeping)).toEqual([]);
  });

  test("F37: a cancel with an older fence stops nothing", async () => {
    const { controller } = benches.start();
    const lease = controller.shell("echo begun; sleep 0.6; echo ended", { fencingToken: 5 });
    await controller.until(() => controller.records.get(lease)?.chunks.stdout.length === 1);
    controller.direct({ kind: "cancel", leaseId: lease, fencingToken: 4, reason: "stale" });
    expect((await controller.result(lease)).status).toBe("succeeded");
    expect(controller.log(lease)).toBe("begun\nended\n");
  });

  test("a task whose lease is gone is stopped at once", async () => {
    const { controller } = benches.start({ sandbox: "process" });
    const lease = controller.shell(`exec ${sleeping}`, { renewIntervalMs: 100 });
    await until(() => processesRunning(sleeping).length === 1);
    controller.record(lease).state = "gone";
    await until(() => processesRunning(sleeping).length === 0);
    expect(controller.record(lease).results).toEqual([]);
  });

  test("F19: a task is stopped on the runner's own clock when the controller cannot be reached to renew", async () => {
    const clock = new ManualClock(Date.now());
    const { controller } = benches.start({ sandbox: "process" }, { leaseMs: 600 }, { clock });
    const lease = controller.shell(`exec ${sleeping}`, { renewIntervalMs: 100 });
    // Longer in all than the lease that it began with: each renewal counts from when it was asked for.
    for (let renewals = 1; renewals <= 4; renewals++) {
      await controller.until(() => (controller.records.get(lease)?.renewals ?? 0) >= renewals);
      clock.advance(200);
    }
    await until(() => processesRunning(sleeping).length === 1);
    await controller.down();
    clock.advance(600);
    await until(() => processesRunning(sleeping).length === 0);
    // Else the runner waits at its end for somebody to take the result.
    controller.up();
  });

  test("F30: more log than allowed stops the task with its own code, the marker within the limit", async () => {
    const { controller } = benches.start();
    const lease = controller.shell("while :; do echo 'äöü äöü äöü'; done", {
      limits: { logBytes: 100_001, outputBytes: 1e6, artifactBytes: 1e6, artifactCount: 1 },
    });
    const result = await controller.result(lease);
    expect(result).toMatchObject({ status: "failed", errorCode: "execution_output_too_large" });
    const log = controller.log(lease);
    expect(Buffer.byteLength(log)).toBeLessThanOrEqual(100_001);
    expect(log.endsWith("the log limit of 100001 bytes is reached; the task was stopped]\n")).toBe(true);
    expect(log).not.toContain("\uFFFD");
  });

  test("F31: bytes that are no UTF-8 stay as they are in the log and in its artifact", async () => {
    const { controller } = benches.start();
    const lease = controller.shell(
      "printf 'a\\377\\376\\303('; printf '\\200\\n'; head -c 70000 /dev/zero | tr '\\0' '\\377'",
    );
    const result = await controller.result(lease);
    const expected = Buffer.concat([
      Buffer.from([0x61, 0xff, 0xfe, 0xc3, 0x28, 0x80, 0x0a]),
      Buffer.alloc(70_000, 0xff),
    ]);
    expect(Buffer.concat(controller.record(lease).chunks.stdout)).toEqual(expected);
    const artifact = controller.artifacts.get(/[0-9a-f]{64}/.exec(result.stdoutRef!)![0])!;
    expect(Buffer.from(Bun.zstdDecompressSync(artifact))).toEqual(expected);
  });

  test("F52: a lease that reaches a runner while it is told to drain is given back unrun", async () => {
    const { controller } = benches.start({}, { heartbeatIntervalMs: 50 });
    const before = controller.shell("true");
    await controller.result(before);
    controller.direct({ kind: "drain", reason: "of the test" });
    await controller.until(() => controller.heartbeats.at(-1)?.status === "draining");
    // The claim that was waiting all the while is answered.
    const lease = controller.shell("echo ran");
    await controller.until(() => controller.records.get(lease)?.state === "rejected");
    expect(controller.record(lease)).toMatchObject({
      starts: 0,
      rejected: expect.stringContaining("draining"),
    });
  });

  test("a runner that drains lets its tasks end; one that stops ends them and reports it", async () => {
    const { controller, runner } = benches.start();
    const lease = controller.shell("echo begun; sleep 0.5; echo ended");
    await controller.until(() => controller.records.get(lease)?.chunks.stdout.length === 1);
    await runner.stop({ drain: true });
    expect(controller.record(lease).results[0]).toMatchObject({ status: "succeeded" });
    expect(controller.drains.length).toBe(1);

    const second = benches.start();
    const running = second.controller.shell("echo begun; sleep 60");
    await second.controller.until(() => second.controller.records.get(running)?.chunks.stdout.length === 1);
    await second.runner.stop();
    expect(second.controller.record(running).results[0]).toMatchObject({ status: "cancelled" });
  });
});
