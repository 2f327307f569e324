import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { post, startFloor, startHost } from "./control-plane.ts";
import { figures, pairedRatio, quantile, show } from "./stats.ts";

export const about =
  "durable create, lease, start, complete over HTTP at 1, 16 and 64 callers, beside a bare queue; fsync on";

const CALLERS = (process.env["BENCH_CALLERS"] ?? "1,16,64").split(",").map(Number);
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 3);
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);

interface Target {
  readonly name: string;
  /** One task from create to complete. */
  cycle(caller: number): Promise<void>;
}

async function load(target: Target, callers: number): Promise<{ rate: number; times: number[] }> {
  const times: number[] = [];
  const end = performance.now() + SECONDS * 1000;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (performance.now() < end) {
        const begun = performance.now();
        await target.cycle(caller);
        times.push(performance.now() - begun);
      }
    }),
  );
  return { rate: (times.length / (performance.now() - start)) * 1000, times };
}

export async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-tasks-"));
  const bare = await startFloor(directory);
  const host = await startHost(directory, Math.max(...CALLERS));
  const floor: Target = {
    name: "floor",
    async cycle() {
      await (await post(`${bare.base}/create`, { command: "true" })).json();
      const leased = (await (await post(`${bare.base}/claim`, {})).json()) as { id: string } | null;
      if (leased === null) throw new Error("the floor had nothing to claim");
      await (await post(`${bare.base}/complete`, { id: leased.id })).json();
    },
  };
  const ours: Target = {
    name: "lightflow",
    async cycle(at) {
      const caller = host.callers[at]!;
      await host.create();
      const lease = await host.claim(caller, 5000);
      await host.start(caller, lease);
      await host.complete(caller, lease);
    },
  };
  try {
    console.log(`${SECONDS} s a measurement, ${ROUNDS} rounds in turns, each answer fsynced on both sides`);
    for (const callers of CALLERS) {
      const rates: Record<string, number[]> = { floor: [], lightflow: [] };
      const times: Record<string, number[]> = { floor: [], lightflow: [] };
      for (let round = -1; round < ROUNDS; round++) {
        for (const target of round % 2 === 0 ? [floor, ours] : [ours, floor]) {
          const measured = await load(target, callers);
          if (round < 0) continue;
          rates[target.name]!.push(measured.rate);
          times[target.name]!.push(...measured.times);
        }
      }
      for (const name of ["floor", "lightflow"]) {
        const [p50, p99] = [0.5, 0.99].map((share) => quantile(times[name]!, share).toFixed(1));
        console.log(
          `${String(callers).padStart(3)} callers  ${name.padEnd(10)} ${show(figures(rates[name]!), "tasks/s", 0)}, p50 ${p50} ms, p99 ${p99} ms`,
        );
      }
      console.log(
        `${String(callers).padStart(3)} callers  ratio      ${show(pairedRatio(rates["lightflow"]!, rates["floor"]!), "of the floor", 2)}`,
      );
    }
  } finally {
    bare.stop();
    await host.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
