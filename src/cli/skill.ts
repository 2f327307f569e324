import skill from "../builtins/SKILL.md" with { type: "text" };
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "A SKILL.md for agents: how to author, check, run and tune a workflow with this very executable.",
  examples: [
    {
      command: "lightflow skill > .claude/skills/lightflow/SKILL.md",
      does: "put it where an agent looks for its skills",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  io.stdout.write(skill);
  return 0;
};
