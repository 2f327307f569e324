import { printPure } from "../ctx/place.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { PLAN_SPEC, planInput } from "./plan.ts";

export const spec = {
  description:
    "Shows which request would go where, and every problem at once; writes nothing. Exit code 0 also when `ready` is false.",
  ...PLAN_SPEC,
  examples: [
    {
      command: `lightflow run preview workflow.text_plan --id run-001 --inputs '{"prompt":"Write a migration plan"}'`,
      does: "the plan of a run",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (args, io) =>
  await printPure("run.preview", await planInput(args, io), io);
