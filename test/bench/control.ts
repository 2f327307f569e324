import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { post, startFloor, startHost } from "./control-plane.ts";
import { figures, pairedRatio, quantile, show } from "./stats.ts";

export const about =
  "64 runners that claim, start and complete no-op leases, and the pick-up of a task by an idle runner; fsync on";

const RUNNERS = 64;
/** Leases of one measurement, queued before it. */
const LEASES = Number(process.env["BENCH_LEASES"] ?? 4000);
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const PICKUPS = 200;
/** Before each pick-up and each bare commit alike: a machine that has just been idle takes twice as long for either. */
const IDLE_MS = 5;

/** `total` calls of `each`, as many at a time as there are runners. @returns calls a second */
async function drain(total: number, each: (runner: number) => Promise<void>): Promise<number> {
  let left = total;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: RUNNERS }, async (_, runner) => {
      while (left-- > 0) await each(runner);
    }),
  );
  return (total / (performance.now() - start)) * 1000;
}

async function timed(count: number, one: () => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at++) times.push(await one());
  return times;
}

export async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-control-"));
  const floor = await startFloor(directory);
  const host = await startHost(directory, RUNNERS);
  const bare = {
    create: async () => void (await (await post(`${floor.base}/create`, { command: "true" })).json()),
    async lease() {
      const leased = (await (await post(`${floor.base}/claim`, {})).json()) as { id: string } | null;
      if (leased === null) throw new Error("the floor had nothing to claim");
      await (await post(`${floor.base}/complete`, { id: leased.id })).json();
    },
  };
  const lease = async (runner: number) => {
    const caller = host.callers[runner]!;
    const taken = await host.claim(caller, 5000);
    await host.start(caller, taken);
    await host.complete(caller, taken);
  };
  try {
    console.log(
      `${LEASES} leases a measurement, ${ROUNDS} rounds in turns, each answer fsynced on both sides`,
    );
    const rates: Record<"floor" | "lightflow", number[]> = { floor: [], lightflow: [] };
    const targets = [
      { name: "floor" as const, create: bare.create, lease: bare.lease },
      { name: "lightflow" as const, create: host.create, lease },
    ];
    for (let round = -1; round < ROUNDS; round++) {
      for (const { name, create, lease: each } of round % 2 === 0 ? targets : targets.toReversed()) {
        await drain(LEASES, create);
        const rate = await drain(LEASES, each);
        if (round >= 0) rates[name].push(rate);
      }
    }
    for (const { name } of targets) {
      console.log(`${RUNNERS} runners  ${name.padEnd(10)} ${show(figures(rates[name]), "leases/s", 0)}`);
    }
    console.log(
      `${RUNNERS} runners  ratio      ${show(pairedRatio(rates.lightflow, rates.floor), "of the floor", 2)}`,
    );

    const pickUp = async () => {
      const caller = host.callers[0]!;
      const waiting = host.claim(caller, 20_000);
      await Bun.sleep(IDLE_MS);
      const begun = performance.now();
      const created = host.create();
      const taken = await waiting;
      const time = performance.now() - begun;
      await created;
      await host.start(caller, taken);
      await host.complete(caller, taken);
      return time;
    };
    const commit = async () => {
      await Bun.sleep(IDLE_MS);
      const begun = performance.now();
      await bare.create();
      return performance.now() - begun;
    };
    await timed(20, pickUp);
    await timed(20, commit);
    const times: Record<"commit" | "pick-up", number[]> = { commit: [], "pick-up": [] };
    for (let round = 0; round < ROUNDS; round++) {
      times.commit.push(...(await timed(PICKUPS, commit)));
      times["pick-up"].push(...(await timed(PICKUPS, pickUp)));
    }
    for (const name of ["commit", "pick-up"] as const) {
      const [p50, p99] = [0.5, 0.99].map((share) => quantile(times[name], share).toFixed(2));
      console.log(`idle  ${name.padEnd(10)} p50 ${p50} ms, p99 ${p99} ms`);
    }
    const ratio = quantile(times["pick-up"], 0.5) / quantile(times.commit, 0.5);
    console.log(
      `idle  ratio      ${ratio.toFixed(2)} times one bare round trip with its commit after the same pause, at p50`,
    );
  } finally {
    floor.stop();
    await host.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
