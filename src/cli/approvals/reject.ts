import { connectToOrchestrator } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Rejects what a task is about to do: the task fails with the error type https://agentic-workflow.org/errors/approval-rejected.",
  positionals: [
    {
      name: "approval",
      label: "approval id",
      ids: "approval",
      about: "as `lightflow approvals list` shows it",
    },
  ],
  flags: { note: { type: "string", value: "TEXT", about: "why, for the audit" } },
  examples: [
    {
      command: "lightflow approvals reject 0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11",
      does: "the task fails, and its workflow may catch that",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToOrchestrator(io.paths);
  try {
    const answer = await client.call("rejectApproval", {
      approval_id: positionals.approval,
      ...(flags.note === undefined ? {} : { note: flags.note }),
    });
    io.print(answer, () => `${answer.approval_id} is ${answer.state}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
