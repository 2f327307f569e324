import { connectToRead } from "../../host/index.ts";
import type { OutputOf } from "../../service/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Says of each time that a run reached the step whether its output was known, and if not which part of what it depends on differed from the nearest earlier run.",
  positionals: [
    RUN_ID,
    { name: "step", label: "step id", ids: "step", about: "one step; every step by default", optional: true },
  ],
  examples: [
    { command: "lightflow run why image-7 upscale", does: "why the step ran again" },
    { command: "lightflow run why image-7", does: "the same of every step that the run has reached" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const run_id = positionals.run;
    const ids =
      positionals.step === undefined
        ? (await client.call("getSteps", { run_id })).steps.map(({ step_id }) => step_id)
        : [positionals.step];
    const steps: OutputOf<"whyStep">["steps"] = [];
    for (const step_id of new Set(ids))
      steps.push(...(await client.call("whyStep", { run_id, step_id })).steps);
    io.print({ steps }, (paint) =>
      steps.length === 0
        ? "the run has reached no step\n"
        : tableText(steps.map((each) => [paint.dim(each.reference), each.step_id, each.result, each.reason])),
    );
    return 0;
  } finally {
    await client.close();
  }
};
