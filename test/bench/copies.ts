import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../../src/base/ids.ts";
import type { UnsignedLease } from "../../src/protocol/index.ts";
import { runnerBenches } from "../support/runner.ts";
import { figures, inTurns, show } from "./stats.ts";

export const about =
  "a task on a copy of 2,000 files, over a layer and copied whole, beside an empty workspace and `cp --archive`";

const FILES = 2_000;
const ROUNDS = 5;
const LONGEST_MS = 60_000;
const NOTHING = "true";

export async function run(): Promise<void> {
  const benches = runnerBenches();
  const { controller, directory, runner } = benches.start({ sandbox: "bubblewrap" });
  try {
    await runner.ready;
    const host = join(directory, "host");
    for (let at = 0; at < FILES; at++) {
      if (at % 100 === 0) mkdirSync(join(host, String(at / 100)), { recursive: true });
      writeFileSync(join(host, String(Math.floor(at / 100)), String(at)), `${at}\n`.repeat(100));
    }
    let number = 0;
    /** From the offer to the result, as the controller sees it. */
    const task = (more: (key: string) => Partial<UnsignedLease>) => async () => {
      const began = performance.now();
      const { status, summary } = await controller.result(
        controller.shell(NOTHING, more(newId())),
        LONGEST_MS,
      );
      if (status !== "succeeded") throw new Error(summary);
      return performance.now() - began;
    };
    const copyOf = { path: host };
    const measured = await inTurns(
      {
        empty: task(() => ({})),
        layer: task((key) => ({ workspace: { mode: "ephemeral", key, copyOf } })),
        // What may be frozen is copied whole.
        whole: task((key) => ({
          workspace: { mode: "ephemeral", key, copyOf },
          freeze: { when: "failed", forMs: 1000 },
        })),
        floor: async () => {
          const target = join(directory, `floor${number++}`);
          const began = performance.now();
          const copy = Bun.spawn(["cp", "--archive", `${host}/.`, `${target}/`]);
          if ((await copy.exited) !== 0) throw new Error("cp failed");
          const ms = performance.now() - began;
          rmSync(target, { recursive: true });
          return ms;
        },
      },
      ROUNDS,
    );
    for (const name of ["empty", "floor", "layer", "whole"] as const)
      console.log(`${name.padEnd(6)} ${show(figures(measured[name]), "ms")}`);
  } finally {
    await benches.close();
  }
}
