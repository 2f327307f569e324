import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRunner } from "../../src/runner/runner.ts";
import { probeSandboxes } from "../../src/runner/sandboxes/index.ts";
import { FakeController } from "../support/fake-controller.ts";
import { runnerConfig } from "../support/runner.ts";
import { type Figures, figures, quantile, show } from "./stats.ts";

export const about = "claim to process, log throughput and heartbeats of the runner, beside bare spawns";

const ROUNDS = 60;

/** From the call to the end of the process, its output drained. */
async function bareRun(argv: string[], cwd: string): Promise<number> {
  const begun = performance.now();
  const child = Bun.spawn(argv, {
    cwd,
    env: { PATH: "/usr/bin:/bin" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return performance.now() - begun;
}

/**
 * From the answer to the claim to the end of the same command: verifying, two durable journal writes, `started` over
 * HTTP, workspace, spawn.
 */
async function throughRunner(sandbox: "process" | "bubblewrap", data: string, bare: () => Promise<number>) {
  const controller = new FakeController({ heartbeatIntervalMs: 5_000 });
  const ended = new Map<string, number>();
  const runner = startRunner({
    controllerUrl: controller.url,
    enrolmentToken: controller.enrolmentToken,
    config: runnerConfig(data, { sandbox, slots: 1 }),
    atPoint: (point, lease) => {
      if (point === "after_exit") ended.set(lease, performance.now());
    },
  });
  await runner.ready;
  const floor: number[] = [];
  const ours: number[] = [];
  for (let round = -5; round < ROUNDS; round++) {
    const single = await bare();
    const lease = controller.offer({
      task: { type: "run.shell", command: "/bin/echo", arguments: ["x"], environment: {} },
    });
    await controller.until(() => controller.records.has(lease));
    const claimed = performance.now();
    const result = await controller.result(lease);
    if (result.status !== "succeeded") throw new Error(result.summary);
    if (round < 0) continue;
    floor.push(single);
    ours.push(ended.get(lease)! - claimed);
  }
  await runner.stop();
  await controller.close();
  return { floor: figures(floor), ours: figures(ours) };
}

async function logThroughput(data: string, bytes: number, secrets: boolean): Promise<number> {
  process.env["BENCH_SECRET"] = "a-secret-that-never-comes-up-7d1f";
  const controller = new FakeController({ heartbeatIntervalMs: 5_000 });
  controller.keepLogs = false;
  const runner = startRunner({
    controllerUrl: controller.url,
    enrolmentToken: controller.enrolmentToken,
    config: runnerConfig(data, { sandbox: "process", secrets: { one: { env: "BENCH_SECRET" } } }),
  });
  await runner.ready;
  const begun = performance.now();
  const lease = controller.offer({
    task: {
      type: "run.shell",
      command: "sh",
      arguments: [
        "-c",
        `yes 'a line of output of an ordinary length, as programs write them' | head -c ${bytes}`,
      ],
      environment: secrets ? { TOKEN: "runner-secret://one" } : {},
    },
    limits: { logBytes: bytes + 1000, outputBytes: 0, artifactBytes: 0, artifactCount: 0 },
    deadlineMs: 600_000,
  });
  const result = await controller.result(lease, 600_000);
  const seconds = (performance.now() - begun) / 1000;
  if (result.status !== "succeeded") throw new Error(result.summary);
  await runner.stop();
  await controller.close();
  return bytes / 1e6 / seconds;
}

/** Heartbeats on time while the tasks burn every core. */
export async function lateness(data: string): Promise<Figures & { p99: number }> {
  const controller = new FakeController({ heartbeatIntervalMs: 100 });
  const runner = startRunner({
    controllerUrl: controller.url,
    enrolmentToken: controller.enrolmentToken,
    config: runnerConfig(data, { sandbox: "process", slots: 50 }),
  });
  await runner.ready;
  const leases = Array.from({ length: 50 }, () =>
    controller.shell("timeout 8 sh -c 'while :; do :; done'; true"),
  );
  const arrivals: number[] = [];
  let seen = 0;
  const watch = setInterval(() => {
    for (; seen < controller.heartbeats.length; seen++) {
      arrivals.push(Date.parse(controller.heartbeats[seen]!.timestamp));
    }
  }, 20);
  for (const lease of leases) await controller.result(lease, 120_000);
  clearInterval(watch);
  await runner.stop();
  await controller.close();
  const late = arrivals.slice(1).map((at, index) => Math.max(0, at - arrivals[index]! - 100));
  return { ...figures(late), p99: quantile(late, 0.99) };
}

function print(name: string, { ours, floor }: { ours: Figures; floor: Figures }): void {
  const ratio = (ours.median / floor.median).toFixed(2);
  console.log(`${name}: claim to end ${show(ours, "ms", 2)}; bare ${show(floor, "ms", 2)}; ${ratio}x`);
}

/** Prints claim-to-start overhead beside bare spawns, log throughput and heartbeat lateness. Journal fsync is on. */
export async function run(): Promise<void> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "bench-runner-")));
  const data = (name: string) => join(directory, name);
  try {
    const plain = await throughRunner("process", data("process"), () =>
      bareRun(["/bin/echo", "x"], directory),
    );
    print("process", plain);
    const probe = await probeSandboxes({
      dataDirectory: data("probe"),
      readOnlyPaths: [],
      temporaryBytes: 1 << 20,
    });
    if (probe.bubblewrap === null) console.log(`bubblewrap: not run: ${probe.remedy}`);
    else {
      const bare = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
      ];
      const isolated = await throughRunner("bubblewrap", data("bubblewrap"), () =>
        bareRun([...bare, "/bin/echo", "x"], directory),
      );
      print("bubblewrap", isolated);
    }
    for (const secrets of [false, true]) {
      const rate = await logThroughput(data(`logs-${secrets}`), 512e6, secrets);
      console.log(
        `log of 512 MB, ${secrets ? "masking one secret" : "nothing to mask"}: ${rate.toFixed(0)} MB/s end to end`,
      );
    }
    const late = await lateness(data("late"));
    console.log(`heartbeat lateness with 50 busy tasks: ${show(late, "ms")}, p99 ${late.p99.toFixed(0)} ms`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) await run();
