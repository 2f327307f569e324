import { decideCommand } from "./decide.ts";

export const { spec, run } = decideCommand({
  operation: "rejectApproval",
  word: "reject",
  description:
    "Rejects what a task is about to do: the task fails with the error type https://agentic-workflow.org/errors/approval-rejected.",
  does: "the task fails, and its workflow may catch that",
});
