import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildIfStale } from "../../scripts/build.ts";
import { childEnvironment } from "../../src/base/child-env.ts";
import { startRunner } from "../../src/runner/runner.ts";
import { FakeController } from "../support/fake-controller.ts";
import { processesRunning, runnerConfig } from "../support/runner.ts";
import { followLag } from "./runner-follow.ts";
import { against, atLeast, type Figures, figures, quantile, show } from "./stats.ts";

export const about =
  "the runner: claim to process beside bare spawns, logs, heartbeats under load, cancels, idle memory";

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

/** The executable as a runner of its own, and what its kernel says of it. */
async function standalone(
  directory: string,
  controller: FakeController,
  overrides: Parameters<typeof runnerConfig>[1],
) {
  const token = join(directory, "token");
  writeFileSync(token, controller.enrolmentToken, { mode: 0o600 });
  const file = join(directory, `runner-${performance.now()}.yaml`);
  const config = runnerConfig(join(directory, `data-${performance.now()}`), overrides);
  writeFileSync(
    file,
    JSON.stringify({ version: 1, controllerUrl: controller.url, credentialFile: token, ...config }),
  );
  const child = Bun.spawn([await buildIfStale(), "runner", "--config", file], {
    env: childEnvironment({ ...process.env, BENCH_SECRET: SECRET }),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  await controller.until(() => controller.heartbeats.length > 0, "the runner", 30_000);
  const mebibytes = (field: "VmHWM" | "VmRSS"): number =>
    Number(
      new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1],
    ) / 1024;
  return {
    mebibytes,
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

const SECRET = "a-secret-that-never-comes-up-7d1f";

/** One task that writes as fast as it can; the controller takes its chunks over a socket and counts them. */
async function logThroughput(directory: string, bytes: number, secrets: boolean) {
  const controller = new FakeController({ heartbeatIntervalMs: 500 });
  controller.keepLogs = false;
  const runner = await standalone(directory, controller, {
    sandbox: "process",
    secrets: { one: { env: "BENCH_SECRET" } },
  });
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
  const memory = runner.mebibytes("VmHWM");
  await runner.stop();
  await controller.close();
  return { rate: bytes / 1e6 / seconds, memory };
}

/** How late each heartbeat is sent, by the runner's own stamp, while 50 tasks start, burn every core, and end. */
async function lateness(directory: string): Promise<Figures & { p99: number }> {
  const interval = 100;
  const controller = new FakeController({ heartbeatIntervalMs: interval });
  const runner = await standalone(directory, controller, { sandbox: "process", slots: 50 });
  const first = controller.heartbeats.length;
  const leases = Array.from({ length: 50 }, () =>
    controller.shell("timeout 12 sh -c 'while :; do :; done'; true"),
  );
  for (const lease of leases) await controller.result(lease, 120_000);
  const sent = controller.heartbeats.slice(first).map(({ timestamp }) => Date.parse(timestamp));
  await runner.stop();
  await controller.close();
  const late = sent.slice(1).map((at, index) => Math.max(0, at - sent[index]! - interval));
  return { ...figures(late), p99: quantile(late, 0.99) };
}

/** From the cancel to the end of the last process of a task that ignores TERM and has left its group, less the grace. */
async function cancelling(directory: string, sandbox: "process" | "bubblewrap") {
  const grace = 200;
  const controller = new FakeController({ heartbeatIntervalMs: 5_000 });
  const runner = await standalone(directory, controller, { sandbox, killGraceMs: grace, slots: 1 });
  const beyond: number[] = [];
  for (let round = 0; round < 20; round++) {
    const mark = `sleep ${1000 + round}.5`;
    const lease = controller.shell(`trap '' TERM; setsid ${mark} & ${mark} & wait; wait`);
    await controller.until(() => processesRunning(mark).length === 2);
    const begun = performance.now();
    controller.cancel(lease);
    while (processesRunning(mark).length > 0) await Bun.sleep(2);
    beyond.push(Math.max(0, performance.now() - begun - grace));
    await controller.result(lease);
  }
  await runner.stop();
  await controller.close();
  return { ...figures(beyond), p99: quantile(beyond, 0.99) };
}

async function idle(directory: string): Promise<number> {
  const controller = new FakeController({ heartbeatIntervalMs: 500 });
  const runner = await standalone(directory, controller, {});
  await controller.result(controller.shell("true"));
  await Bun.sleep(3_000);
  const memory = runner.mebibytes("VmRSS");
  await runner.stop();
  await controller.close();
  return memory;
}

function print(name: string, { ours, floor }: { ours: Figures; floor: Figures }, limit: number): void {
  console.log(`${name}: claim to end ${show(ours, "ms", 2)}; bare ${show(floor, "ms", 2)}`);
  console.log(against(`${name}, claim to end of the bare spawn's`, ours.median / floor.median, limit, "x"));
}

/** Every figure beside its limit. The journal is synced (FULL); logs and heartbeats are those of the executable. */
export async function run(): Promise<void> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "bench-runner-")));
  const data = (name: string) => join(directory, name);
  const only = process.env["BENCH_RUNNER"]?.split(",");
  const wanted = (name: string) => only === undefined || only.includes(name);
  try {
    if (wanted("idle")) console.log(against("idle memory", await idle(directory), 60, "MiB", 0));
    if (wanted("start")) {
      const plain = await throughRunner("process", data("process"), () =>
        bareRun(["/bin/echo", "x"], directory),
      );
      print("process", plain, 4);
    }
    const isolates = existsSync("/usr/bin/bwrap");
    if (!isolates) console.log("bubblewrap: not run: it is not installed");
    if (isolates && wanted("start")) {
      const bare = "bwrap --unshare-all --die-with-parent --ro-bind / / --proc /proc --dev /dev".split(" ");
      const isolated = await throughRunner("bubblewrap", data("bubblewrap"), () =>
        bareRun([...bare, "/bin/echo", "x"], directory),
      );
      print("bubblewrap", isolated, 1.5);
    }
    if (wanted("logs")) {
      for (const secrets of [false, true]) {
        const { rate, memory } = await logThroughput(directory, 1 << 30, secrets);
        const name = `log of 1 GiB, ${secrets ? "masking one secret" : "nothing to mask"}`;
        console.log(atLeast(name, rate, 60, "MB/s", 0));
        console.log(against(`${name}, most memory`, memory, 150, "MiB", 0));
      }
    }
    if (wanted("heartbeats")) {
      const late = await lateness(directory);
      console.log(`heartbeats with 50 busy tasks: late by ${show(late, "ms")}`);
      console.log(against("heartbeats with 50 busy tasks, p99 of the lateness", late.p99, 200, "ms", 0));
    }
    if (wanted("follow")) {
      const lags = await followLag();
      console.log(`run logs --follow: a line is late by ${show(figures(lags), "ms", 0)}`);
      console.log(against("run logs --follow, p99 of the lag", quantile(lags, 0.99), 300, "ms", 0));
    }
    if (wanted("cancel")) {
      for (const sandbox of ["process", ...(isolates ? (["bubblewrap"] as const) : [])] as const) {
        const gone = await cancelling(directory, sandbox);
        console.log(`${sandbox}: cancel to last process gone, beyond the grace ${show(gone, "ms")}`);
        console.log(against(`${sandbox}: cancel to last process gone, p99`, gone.p99, 250, "ms", 0));
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) await run();
