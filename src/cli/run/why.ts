import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Says of each time that a run reached the step whether its output was known, and if not which part of what it depends on differed from the nearest earlier run.",
  positionals: [RUN_ID, { name: "step", label: "step id" }],
  examples: [{ command: "lightflow run why image-7 upscale", does: "why the step ran again" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("whyStep", { run_id: positionals.run, step_id: positionals.step });
    io.print(answer, () =>
      answer.steps.map((each) => `${each.reference} ${each.result}: ${each.reason}\n`).join(""),
    );
    return 0;
  } finally {
    await client.close();
  }
};
