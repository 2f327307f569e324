/**
 * The mount against the same in-memory tree in C on libfuse 3: one client in C, server and client pinned to one core,
 * nothing cached, in turns. `--quick` halves the rounds; `--long` adds the million operations for memory.
 */
import { Database } from "bun:sqlite";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fuseUnavailable, status } from "../../cortexfs/commands.ts";
import { against, figures, inTurns, pairedRatio, show } from "./stats.ts";

export const about = "CortexFS mount against a C floor on libfuse 3 (needs root, cc and libfuse3-dev)";

const SOURCE = join(import.meta.dir, "fuse-floor.c");
const MAIN = join(import.meta.dir, "../../cortexfs/main.ts");

/** Operation, how many a round, and the limits of p50 and p99 as a ratio to the floor. */
const OPERATIONS = [
  ["fstat", 20_000, 1.1, 1.5],
  ["stat", 5000, 1.1, 1.5],
  ["openread", 3000, 1.1, 1.5],
  ["pread", 10_000, 1.1, 1.5],
  ["pwrite", 10_000, 1.1, 1.5],
  ["create", 2000, 1.1, 1.5],
  ["readdir", 200, 1.3, Number.POSITIVE_INFINITY],
  ["seqread", 5, 1.11, Number.POSITIVE_INFINITY],
  ["seqwrite", 5, 1.11, Number.POSITIVE_INFINITY],
] as const;

interface Measured {
  readonly p50: number;
  readonly p99: number;
  readonly total: number;
}

async function client(floor: string, core: string | undefined, ...args: string[]): Promise<Measured> {
  const pin = core === undefined ? [] : ["taskset", "-c", core];
  const child = Bun.spawn([...pin, floor, ...args], { stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the client failed: ${args.join(" ")}`);
  const [p50, p99, total] = text.trim().split(" ").map(Number);
  return { p50: p50!, p99: p99!, total: total! };
}

async function start(command: string[], core: string | undefined) {
  const pin = core === undefined ? [] : ["taskset", "-c", core];
  const child = Bun.spawn([...pin, ...command], { stdout: "pipe", stderr: "inherit", stdin: "ignore" });
  const reader = child.stdout.getReader();
  if ((await reader.read()).done) throw new Error(`did not start: ${command.join(" ")}`);
  return child;
}

export async function run(args: readonly string[]): Promise<void> {
  const reason =
    fuseUnavailable() ??
    (process.getuid?.() === 0 ? undefined : "root is needed for a comparable mount") ??
    (Bun.which("cc") === null ? "no C compiler" : undefined);
  if (reason !== undefined) return console.log(`not run: ${reason}`);
  const base = mkdtempSync(join(tmpdir(), "cortexfs-bench-"));
  const floor = join(base, "fuse-floor");
  const built = Bun.spawnSync([
    "sh",
    "-c",
    `cc -O2 -o ${floor} ${SOURCE} $(pkg-config --cflags --libs fuse3)`,
  ]);
  if (built.exitCode !== 0) {
    rmSync(base, { recursive: true });
    return console.log("not run: libfuse3-dev and pkg-config are needed to build the floor");
  }
  const [ours, theirs, state] = ["ours", "theirs", "state"].map((name) => join(base, name));
  for (const path of [ours!, theirs!, state!]) mkdirSync(path);
  const core = "0";
  const daemon = await start(
    [process.execPath, MAIN, "mount", "--at", ours!, "--state", state!, "--ttl-ms", "0"],
    core,
  );
  const peer = await start([floor, "serve", theirs!], core);
  const watchdog = setTimeout(() => {
    for (const path of [ours!, theirs!]) Bun.spawnSync(["umount", "-f", "-l", path]);
  }, 600_000);
  try {
    const home = join(ours!, "home/0");
    await operations(floor, core, join(home, "cache"), theirs!, args.includes("--quick") ? 5 : 11);
    await commits(floor, core, home, base);
    await slowModel(floor, core, ours!, home);
    if (args.includes("--long")) await memory(floor, base);
  } finally {
    clearTimeout(watchdog);
    daemon.kill("SIGTERM");
    peer.kill("SIGTERM");
    await Promise.all([daemon.exited, peer.exited]);
    rmSync(base, { recursive: true, force: true });
  }
}

async function operations(
  floor: string,
  core: string,
  ours: string,
  theirs: string,
  rounds: number,
): Promise<void> {
  console.log("times as a ratio to C on libfuse3 -s, median of the paired rounds (range)");
  for (const [name, count, limit50, limit99] of OPERATIONS) {
    const p99: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
    const measure = (at: string, side: "ours" | "theirs") => async () => {
      const result = await client(floor, core, "measure", at, name, String(count));
      p99[side].push(result.p99);
      return result.p50 / 1000;
    };
    const p50 = await inTurns({ ours: measure(ours, "ours"), theirs: measure(theirs, "theirs") }, rounds);
    const ratio = pairedRatio(p50.ours, p50.theirs);
    console.log(against(`${name} p50 ${show(figures(p50.ours), "µs")}`, ratio.median, limit50, "x"));
    if (Number.isFinite(limit99)) {
      const tail = pairedRatio(p99.ours.slice(1), p99.theirs.slice(1));
      console.log(against(`${name} p99`, tail.median, limit99, "x"));
    }
  }
}

/** A durable commit against the same four calls on the disk and one SQLite commit (synchronous=FULL, as ours). */
async function commits(floor: string, core: string, home: string, base: string): Promise<void> {
  const disk = join(base, "disk");
  mkdirSync(disk);
  const db = new Database(join(base, "commit.db"));
  db.run("PRAGMA journal_mode = WAL");
  db.run("PRAGMA synchronous = FULL");
  db.run("CREATE TABLE request (id TEXT PRIMARY KEY, body BLOB)");
  let serial = 0;
  const insert = db.query("INSERT INTO request VALUES (?, ?)");
  const results = await inTurns(
    {
      ours: async () =>
        (await client(floor, core, "commit", join(home, "api/openai.chat/inbox"), "200")).p50 / 1000,
      disk: async () => (await client(floor, core, "commit", disk, "200")).p50 / 1000,
      sqlite: async () => {
        const times: number[] = [];
        for (let i = 0; i < 200; i++) {
          const began = performance.now();
          insert.run(`r${++serial}`, Buffer.alloc(60));
          times.push((performance.now() - began) * 1000);
        }
        return figures(times).median;
      },
    },
    5,
  );
  db.close();
  const floors = results.disk.map((value, index) => value + results.sqlite[index]!);
  console.log(
    `commit: ours ${show(figures(results.ours), "µs")}; disk ${show(figures(results.disk), "µs")}; SQLite ${show(figures(results.sqlite), "µs")} (fsync on)`,
  );
  console.log(against("commit p50", pairedRatio(results.ours, floors).median, 1.5, "x"));
}

/** Stats of one process while another waits for a model, and the time from the commit to the provider's first byte. */
async function slowModel(floor: string, core: string, root: string, home: string): Promise<void> {
  let arrived = 0;
  let release = (): void => {};
  let hold = Promise.resolve();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async () => {
      arrived = performance.now();
      await hold;
      return Response.json({
        id: "x",
        model: "m",
        choices: [{ message: { role: "assistant", content: "ok" } }],
      });
    },
  });
  const channel = join(root, "chan/bench");
  mkdirSync(channel);
  writeFileSync(join(channel, "url"), `http://127.0.0.1:${server.port}`);
  writeFileSync(join(channel, "mod"), "m");
  writeFileSync(join(channel, "enabled"), "1");
  const inbox = join(home, "api/openai.chat/inbox");
  const commit = async (id: string): Promise<number> => {
    writeFileSync(join(inbox, `${id}.tmp`), JSON.stringify({ messages: [{ role: "user", content: id }] }));
    arrived = 0;
    const began = performance.now();
    renameSync(join(inbox, `${id}.tmp`), join(inbox, `${id}.req.json`));
    while (arrived === 0) await new Promise((resolve) => setImmediate(resolve));
    return arrived - began;
  };
  const latencies: number[] = [];
  for (let i = 0; i < 100; i++) latencies.push(await commit(`first-${i}`));
  console.log(
    against(
      `commit to the provider's first byte ${show(figures(latencies), "ms", 2)}`,
      figures(latencies).median,
      5,
      "ms",
    ),
  );
  hold = new Promise<void>((resolve) => {
    release = resolve;
  });
  await commit("held");
  const stat = async () => (await client(floor, core, "measure", join(home, "cache"), "stat", "10000")).p99;
  const waiting = (): Bun.Subprocess =>
    Bun.spawn(["cat", join(home, "api/openai.chat/outbox/held.wait")], { stdout: "ignore" });
  const results = await inTurns(
    {
      held: async () => {
        const reader = waiting();
        await Bun.sleep(20);
        const p99 = await stat();
        reader.kill("SIGINT");
        await reader.exited;
        return p99;
      },
      free: stat,
    },
    9,
  );
  console.log(
    against(
      "10,000 stats beside a blocked read, p99",
      pairedRatio(results.held, results.free).median,
      1.5,
      "x",
    ),
  );
  release();
  server.stop(true);
  console.log(JSON.stringify(await status({ at: root })));
}

/** Memory of a fresh daemon after 100,000 operations, and after 1,000,000 more. */
async function memory(floor: string, base: string): Promise<void> {
  const at = join(base, "memory");
  const daemon = await start(
    [process.execPath, MAIN, "mount", "--at", at, "--state", join(base, "memory-state"), "--ttl-ms", "0"],
    undefined,
  );
  try {
    const cache = join(at, "home/0/cache");
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))![1]) / 1024;
    // One turn of `create` is at least five operations: lookup, create, write, release, unlink.
    await client(floor, undefined, "measure", cache, "create", "20000");
    const before = resident();
    await client(floor, undefined, "measure", cache, "create", "200000");
    const grown = resident() - before;
    console.log(
      against(`memory after 1,000,000 more operations (from ${before.toFixed(0)} MiB)`, grown, 20, "MiB"),
    );
  } finally {
    daemon.kill("SIGTERM");
    await daemon.exited;
    Bun.spawnSync(["umount", "-f", "-l", at], { stderr: "ignore" });
  }
}
