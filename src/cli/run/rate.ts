import { fail } from "../../base/errors.ts";
import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description: "Keeps your judgement of what a step gave with the run; `run get` and `run sweep` show it.",
  positionals: [RUN_ID, { name: "step", label: "step id", ids: "step" }],
  flags: {
    score: { type: "string", value: "NUMBER", required: true, about: "any number; more is better" },
    note: { type: "string", value: "TEXT", about: "why" },
  },
  examples: [
    { command: `lightflow run rate image-7 upscale --score 4 --note "hands are wrong"`, does: "say so" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const score = flags.score.trim() === "" ? Number.NaN : Number(flags.score);
  if (!Number.isFinite(score)) throw fail("usage", `--score must be a number: ${flags.score}`);
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const kept = await client.call("rateRun", {
      run_id: positionals.run,
      step_id: positionals.step,
      score,
      ...(flags.note === undefined ? {} : { note: flags.note }),
    });
    io.print(kept, () => `${kept.step_id}: ${kept.score}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
