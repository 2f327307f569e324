import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifacts } from "../../src/artifacts/index.ts";
import { digestOf } from "../../src/base/canonical.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { silentLog } from "../../src/base/log.ts";
import { createEnginePort } from "../../src/orchestrator/engine-port.ts";
import { Orchestrator } from "../../src/orchestrator/index.ts";
import { Policies } from "../../src/orchestrator/policies.ts";
import { fireTimers, Store } from "../../src/store/index.ts";
import type { Transaction } from "../../src/store/operation.ts";
import { against, figures, pairedRatio, quantile, show } from "./stats.ts";

export const about =
  "durable workflows over HTTP beside a floor of the same calls and commits; long histories, many waiting, recovery; fsync on";

const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 2);
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);

type Tasks = readonly object[];
const PARTS = ["calls", "sets", "boundaries", "history", "waiting", "recovery"] as const;

function document(name: string, tasks: Tasks): JsonObject {
  return { document: { dsl: "1.0.3", namespace: "bench", name, version: "1.0.0" }, do: tasks as Json[] };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of stream) {
    text += Buffer.from(part).toString();
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0]!;
}

function child(script: string, ...args: string[]) {
  return Bun.spawn([process.execPath, join(import.meta.dir, script), ...args], {
    stdin: "pipe",
    stdout: "pipe",
  });
}

async function post(url: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  const text = await response.text();
  if (response.status >= 400) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

async function get(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

interface Host {
  readonly pid: number;
  readonly gateway: string;
  kill(): Promise<void>;
}

async function startHost(directory: string, published: readonly JsonObject[] = []): Promise<Host> {
  const process = child("engine-host.ts", directory, JSON.stringify(published));
  const { gateway } = JSON.parse(await firstLine(process.stdout)) as { gateway: string };
  return {
    pid: process.pid,
    gateway,
    async kill() {
      process.kill("SIGKILL");
      await process.exited;
    },
  };
}

/** One workflow of a name from its start to its end, by two messages: the start, and the wait where it has not ended. */
async function runOnce(gateway: string, name: string, waits: boolean): Promise<void> {
  const started = await post(`${gateway}/workflows/start`, { workflow: { namespace: "bench", name } });
  if (!waits) return;
  const ended = await get(`${gateway}/runs/${started["run_id"]}/wait?wait_ms=20000`);
  if (ended["status"] !== "succeeded") throw new Error(JSON.stringify(ended));
}

async function load(callers: number, cycle: () => Promise<void>): Promise<{ rate: number; times: number[] }> {
  const times: number[] = [];
  const start = performance.now();
  const end = start + SECONDS * 1000;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) {
        const begun = performance.now();
        await cycle();
        times.push(performance.now() - begun);
      }
    }),
  );
  return { rate: (times.length / (performance.now() - start)) * 1000, times };
}

/** Several cycles in turns; the rates and times of each, the first round left out. */
async function inTurns(callers: number, cycles: Record<string, () => Promise<void>>) {
  const names = Object.keys(cycles);
  const rates: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -1; round < ROUNDS; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const measured = await load(callers, cycles[name]!);
      if (round < 0) continue;
      rates[name]!.push(measured.rate);
      times[name]!.push(...measured.times);
    }
  }
  return { rates, times };
}

const call = (service: string): object => ({
  call: "http",
  with: { method: "post", endpoint: service, body: {} },
});

async function overHttp(directory: string, parts: ReadonlySet<string>): Promise<void> {
  const serving = child("engine-service.ts");
  const service = `http://127.0.0.1:${await firstLine(serving.stdout)}/`;
  const flooring = child("engine-floor.ts", join(directory, "floor.db"));
  const floor = `http://127.0.0.1:${await firstLine(flooring.stdout)}`;
  const host = await startHost(join(directory, "ours"), [
    document("one", [{ c: call(service) }]),
    document(
      "five",
      [1, 2, 3, 4, 5].map((n) => ({ [`c${n}`]: call(service) })),
    ),
    document("set", [{ s: { set: { n: 1 } } }]),
    document(
      "sets",
      Array.from({ length: 100 }, (_, n) => ({ [`s${n}`]: { set: { n } } })),
    ),
  ]);
  try {
    const cycles = {
      floor: async () => {
        const { id } = await post(floor, { input: {}, service });
        await get(`${floor}/${id}`);
      },
      lightflow: () => runOnce(host.gateway, "one", true),
    };
    if (parts.has("calls")) {
      for (const callers of [1, 64]) {
        const { rates, times } = await inTurns(callers, cycles);
        for (const name of ["floor", "lightflow"]) {
          const [p50, p99] = [0.5, 0.99].map((share) => quantile(times[name]!, share).toFixed(1));
          console.log(
            `${String(callers).padStart(3)} callers  ${name.padEnd(10)} ${show(figures(rates[name]!), "workflows/s", 0)}, p50 ${p50} ms, p99 ${p99} ms`,
          );
        }
        const ratio = pairedRatio(rates["lightflow"]!, rates["floor"]!);
        console.log(`${String(callers).padStart(3)} callers  ratio      ${show(ratio, "of the floor", 2)}`);
        const share = callers === 1 ? 0.5 : 0.99;
        const slower = quantile(times["lightflow"]!, share) / quantile(times["floor"]!, share);
        console.log(against(`${callers} callers, p${share * 100} against the floor's`, slower, 3, "x"));
      }
    }
    if (parts.has("sets")) {
      const { rates } = await inTurns(64, {
        one: () => runOnce(host.gateway, "set", false),
        hundred: () => runOnce(host.gateway, "sets", false),
      });
      const { median } = pairedRatio(rates["one"]!, rates["hundred"]!);
      console.log(`  1 set     ${show(figures(rates["one"]!), "workflows/s", 0)}`);
      console.log(`100 sets    ${show(figures(rates["hundred"]!), "workflows/s", 0)}`);
      console.log(against("100 set tasks against one", median, 3, "x"));
    }
    if (parts.has("boundaries")) {
      const { rates } = await inTurns(64, {
        one: () => runOnce(host.gateway, "one", true),
        five: () => runOnce(host.gateway, "five", true),
      });
      const each = rates["one"]!.map((one, at) => (one / rates["five"]![at]! - 1) / 4);
      console.log(`  1 call    ${show(figures(rates["one"]!), "workflows/s", 0)}`);
      console.log(`  5 calls   ${show(figures(rates["five"]!), "workflows/s", 0)}`);
      console.log(against("each further boundary, of a workflow of one", figures(each).median, 0.4, "x"));
    }
  } finally {
    for (const each of [serving, flooring]) each.kill();
    await host.kill();
  }
}

/** An orchestrator in this process, on the store of a directory that a host may take over. */
function open(directory: string) {
  const state = join(directory, "state");
  const store = Store.open(join(state, "lightflow.db"));
  const artifacts = openArtifacts(join(state, "artifacts"));
  const orchestrator = new Orchestrator({ store, artifacts, clock: systemClock, log: silentLog });
  const start = (runId: string, tasks: Tasks, input: Json) => {
    const made = document("held", tasks);
    return orchestrator.start({
      tenantId: "default",
      runId,
      idempotent: false,
      sourceEventId: null,
      workflow: "held",
      assetId: null,
      document: made,
      digest: digestOf(made),
      input,
    });
  };
  return {
    store,
    start,
    async close() {
      orchestrator.stop();
      await store.close();
    },
  };
}

const event = (id: string, type: string, data: Json): JsonObject => ({
  specversion: "1.0",
  id,
  source: "/bench",
  type,
  data,
});

async function until(test: () => boolean): Promise<void> {
  while (!test()) await Bun.sleep(2);
}

/** The cost of an input for an instance that has taken ten, and for one that has taken a hundred thousand. */
async function history(directory: string, length: number): Promise<void> {
  const { store, start, close } = open(directory);
  try {
    await start("long", [{ pause: { wait: { hours: 1 }, then: "pause" } }], {});
    const engine = createEnginePort(
      systemClock,
      new Policies(store),
      () => null,
      () => false,
      undefined,
    );
    const AT_ONCE = 100;
    let now = Date.now();
    const fire = (tx: Transaction): void => {
      for (let n = 0; n < AT_ONCE; n++) {
        now += 3_600_001;
        fireTimers(tx, { engine, now, limit: 1 });
      }
    };
    let taken = 0;
    const take = async (count: number): Promise<number> => {
      const begun = performance.now();
      for (let left = count; left > 0; left -= AT_ONCE) await store.write(fire, null);
      taken += count;
      return ((performance.now() - begun) / count) * 1000;
    };
    const several = async () =>
      [await take(2000), await take(2000), await take(2000), await take(2000)].slice(1);
    const early = await several();
    await take(Math.max(0, length - taken));
    const late = await several();
    const rows = store.read(
      (tx) => tx.get<{ n: number }>("SELECT count(*) AS n FROM instance_input"),
      null,
    )!.n;
    console.log(`history of 2,000 inputs  ${show(figures(early), "µs an input")}`);
    console.log(`history of ${rows} inputs  ${show(figures(late), "µs an input")}`);
    console.log(against("late against early", figures(late).median / figures(early).median, 1.5, "x"));
  } finally {
    await close();
  }
}

/** User and system time of a process, in milliseconds, and its resident memory in MiB. */
function usage(pid: number): { cpu: number; memory: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) * 10,
    memory: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024,
  };
}

function durationInput(due: number): JsonObject {
  const ms = Math.max(1, due - Date.now());
  return { ms, duration: `PT${(ms / 1000).toFixed(3)}S` };
}

/** Half wait for a time, spread at five hundred a second, half for an event of their own. */
async function waiting(directory: string, count: number): Promise<void> {
  const spreadMs = (count / 500) * 1000;
  const seeding = open(directory);
  // Late enough that all of them are there, and that the idle time is looked at before.
  const first = Date.now() + count * 0.6 + 12_000;
  const correlate = { order: { from: "${ .data.order }", expect: "${ .order }" } };
  const begun = performance.now();
  for (let at = 0; at < count; at += 250) {
    await Promise.all(
      Array.from({ length: Math.min(250, count - at) }, (_, offset) => {
        const n = at + offset;
        if (n % 2 === 1)
          return seeding.start(
            `e${n}`,
            [{ hear: { listen: { to: { one: { with: { type: "go" }, correlate } } } } }],
            { order: n },
          );
        const due = first + Math.floor((n / count) * spreadMs);
        return seeding.start(`t${n}`, [{ pause: { wait: "${ .duration }" } }], durationInput(due));
      }),
    );
  }
  console.log(`${count} instances started in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  await seeding.close();
  const host = await startHost(directory);
  const store = Store.open(join(directory, "state", "lightflow.db"));
  try {
    const idleMs = Math.min(8000, Math.max(2000, first - Date.now() - 1000));
    await Bun.sleep(1000);
    const before = usage(host.pid);
    await Bun.sleep(idleMs);
    const idle = usage(host.pid);
    console.log(against("idle processor time", ((idle.cpu - before.cpu) / idleMs) * 100, 2, "%"));
    console.log(against("idle memory", idle.memory, 300, "MiB", 0));
    const heard: number[] = [];
    for (let n = 1; n < Math.min(count, 400); n += 2) {
      const run = `e${n}`;
      const start = performance.now();
      await post(`${host.gateway}/events`, event(run, "go", { order: n }));
      await get(`${host.gateway}/runs/${run}/wait?wait_ms=20000`);
      heard.push(performance.now() - start);
    }
    console.log(
      `an event for one of ${count / 2} listeners: p50 ${quantile(heard, 0.5).toFixed(1)} ms, p99 ${quantile(heard, 0.99).toFixed(1)} ms`,
    );
    await Bun.sleep(Math.max(0, first + spreadMs - Date.now()) + 1000);
    const late = store.read(
      (tx) =>
        tx.all<{ late: number }>(
          `SELECT instance.finished_at - (instance.created_at + json_extract(instance_input.body, '$.input.ms')) AS late
           FROM instance JOIN instance_input ON instance_id = id AND seq = 1 WHERE run_id LIKE 't%' AND finished_at IS NOT NULL`,
        ),
      null,
    );
    console.log(`${late.length} of ${count / 2} timers fired`);
    console.log(
      against(
        "a timer after its time, p99",
        quantile(
          late.map((row) => row.late),
          0.99,
        ),
        50,
        "ms",
        0,
      ),
    );
    console.log(against("memory at the end", usage(host.pid).memory, 300, "MiB", 0));
  } finally {
    await store.close();
    await host.kill();
  }
}

/** Instances whose time came while nobody ran: from the start of the process to the end of the last one. */
async function recovery(directory: string, count: number): Promise<void> {
  const seeding = open(directory);
  for (let at = 0; at < count; at += 250) {
    await Promise.all(
      Array.from({ length: Math.min(250, count - at) }, (_, offset) =>
        seeding.start(
          `r${at + offset}`,
          [{ pause: { wait: { seconds: 3600 } } }, { s: { set: { done: true } } }],
          {},
        ),
      ),
    );
  }
  await seeding.store.write((tx) => tx.run("UPDATE timer SET due_at = 1"), null);
  await seeding.close();
  const store = Store.open(join(directory, "state", "lightflow.db"));
  const begun = performance.now();
  const host = await startHost(directory);
  try {
    const opened = performance.now() - begun;
    await until(() => store.read((tx) => tx.get("SELECT 1 FROM timer LIMIT 1"), null) === undefined);
    console.log(`the gateway answers after ${opened.toFixed(0)} ms`);
    console.log(against(`${count} instances go on after a kill`, (performance.now() - begun) / 1000, 5, "s"));
  } finally {
    await store.close();
    await host.kill();
  }
}

/** `bun run bench engine [part…] [--waiting N] [--history N] [--recovery N]`; all parts where none is named. */
export async function run(args: readonly string[]): Promise<void> {
  const sizes: Record<string, number> = { waiting: 10_000, history: 100_000, recovery: 10_000 };
  const named = new Set<string>();
  for (let at = 0; at < args.length; at++) {
    const flag = /^--(waiting|history|recovery)$/.exec(args[at]!)?.[1];
    if (flag !== undefined) sizes[flag] = Number(args[++at]);
    else if ((PARTS as readonly string[]).includes(args[at]!)) named.add(args[at]!);
    else throw new Error(`no part ${args[at]}; there are: ${PARTS.join(", ")}`);
  }
  const parts = named.size === 0 ? new Set<string>(PARTS) : named;
  const directory = mkdtempSync(join(tmpdir(), "bench-engine-"));
  try {
    console.log(`${SECONDS} s a measurement, ${ROUNDS} rounds in turns, synchronous=FULL on both sides`);
    if (["calls", "sets", "boundaries"].some((part) => parts.has(part))) await overHttp(directory, parts);
    if (parts.has("history")) await history(join(directory, "history"), sizes["history"]!);
    if (parts.has("waiting")) await waiting(join(directory, "waiting"), sizes["waiting"]!);
    if (parts.has("recovery")) await recovery(join(directory, "recovery"), sizes["recovery"]!);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
