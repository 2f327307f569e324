import type { CommandSpec, Run } from "../spec.ts";
import { callStore, PLAN_SPEC, planInput } from "./plan.ts";

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

export const run: Run<typeof spec> = async (args, io) => {
  const input = await planInput(args, io);
  return await callStore(io, (client) => client.call("previewRun", input));
};
