import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newSigningKey } from "../../src/protocol/index.ts";
import { enrolRunner, Store } from "../../src/store/index.ts";
import { binary } from "../support/binary.ts";

export const about =
  "1,000 connected idle runners on one controller: processor and memory, and all back after kill -9 of it";

const RUNNERS = Number(process.env["BENCH_RUNNERS"] ?? 1000);
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 20);
/** Clock ticks of /proc a second. */
const TICKS = 100;

const processorMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1000;
};
const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;

async function* linesOf(stream: ReadableStream<Uint8Array>) {
  let text = "";
  for await (const part of stream) {
    text += Buffer.from(part).toString();
    const lines = text.split("\n");
    text = lines.pop()!;
    yield* lines;
  }
}

interface Heard {
  epoch: number;
  heard: number;
  registrations: number;
  errors: number;
}

export async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-idle-"));
  const env = {
    PATH: process.env["PATH"]!,
    HOME: directory,
    XDG_STATE_HOME: join(directory, "state"),
    XDG_RUNTIME_DIR: join(directory, "run"),
    XDG_CONFIG_HOME: join(directory, "config"),
    XDG_CACHE_HOME: join(directory, "cache"),
  };
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 });
  const keys = Array.from({ length: RUNNERS }, () => newSigningKey());
  writeFileSync(join(directory, "keys.json"), JSON.stringify(keys), { mode: 0o600 });
  const store = Store.open(join(env.XDG_STATE_HOME, "lightflow/lightflow.db"));
  await Promise.all(
    keys.map(({ publicKey }, at) =>
      store.write(enrolRunner, {
        admission: {
          tenantId: "default",
          runnerId: `idle-${at}`,
          hostId: "h",
          runnerPools: ["default"],
          executionProfiles: ["default"],
          capabilities: [],
          slots: 4,
        },
        credential: { publicKey },
        actor: "bench",
        now: Date.now(),
      }),
    ),
  );
  await store.close();

  const start = async (port: string) => {
    const child = Bun.spawn([await binary(), "controller", "--port", port, "--json"], {
      env,
      stdout: "pipe",
      stderr: "inherit",
    });
    const lines = linesOf(child.stdout);
    const ready = JSON.parse((await lines.next()).value as string) as { url: string };
    return { child, url: ready.url };
  };
  let controller = await start("0");
  const begun = performance.now();
  const clients = Bun.spawn(
    [
      process.execPath,
      join(import.meta.dir, "control-idle-clients.ts"),
      controller.url,
      join(directory, "keys.json"),
    ],
    {
      env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: String(RUNNERS * 3) },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const reports = linesOf(clients.stdout);
  const until = async (holds: (report: Heard) => boolean, seconds: number): Promise<Heard> => {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const { value, done } = await reports.next();
      if (done) throw new Error("the clients ended");
      const report = JSON.parse(value) as Heard;
      if (holds(report)) return report;
      if (performance.now() > end) throw new Error(`not within ${seconds} s: ${value}`);
    }
  };
  try {
    await until(({ heard }) => heard === RUNNERS, 60);
    console.log(
      `${RUNNERS} runners connected within ${((performance.now() - begun) / 1000).toFixed(1)} s (spread over 5 s)`,
    );
    // What start-up left behind is not what idling costs.
    await Bun.sleep(3_000);
    const shares: number[] = [];
    for (let second = 0; second < SECONDS; second++) {
      const [from, at] = [processorMs(controller.child.pid), performance.now()];
      await Bun.sleep(1_000);
      shares.push(((processorMs(controller.child.pid) - from) / (performance.now() - at)) * 100);
    }
    shares.sort((a, b) => a - b);
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    console.log(
      `idle for ${SECONDS} s: ${mean.toFixed(1)} % of one core (seconds from ${shares[0]!.toFixed(1)} to ${shares.at(-1)!.toFixed(1)}), ${residentMiB(controller.child.pid).toFixed(0)} MiB resident`,
    );
    const { port } = new URL(controller.url);
    controller.child.kill("SIGKILL");
    await controller.child.exited;
    const say = async () => {
      clients.stdin.write("again\n");
      await clients.stdin.flush();
    };
    await say();
    // Everybody has noticed before the next one listens, as after any real crash.
    const before = await until(({ epoch, errors }) => epoch === 1 && errors >= RUNNERS, 30);
    controller = await start(port);
    const back = performance.now();
    await say();
    const after = await until(({ epoch, heard }) => epoch === 2 && heard === RUNNERS, 60);
    console.log(
      `kill -9 of the controller: all ${RUNNERS} back ${((performance.now() - back) / 1000).toFixed(1)} s after the next one listened, ${after.registrations - before.registrations} registered again, ${after.errors - before.errors} messages failed meanwhile`,
    );
  } finally {
    clients.kill();
    controller.child.kill();
    await Promise.all([clients.exited, controller.child.exited]);
    rmSync(directory, { recursive: true });
  }
}
