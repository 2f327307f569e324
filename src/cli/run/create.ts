import type { CommandSpec, Run } from "../spec.ts";
import { callStore, PLAN_SPEC, planInput } from "./plan.ts";

export const spec = {
  description:
    "Plans a run that you take step by step: `run submit` commits one request into CortexFS, `run refresh` looks for the answer. `run start` does all of it by itself.",
  ...PLAN_SPEC,
  examples: [
    {
      command: `lightflow run create workflow.text_plan --id run-001 --inputs '{"prompt":"Write a migration plan"}'`,
      does: "a planned run; nothing is sent yet",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (args, io) => {
  const input = await planInput(args, io);
  return await callStore(io, (client) => client.call("createRun", input));
};
