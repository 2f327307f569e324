import { decideCommand } from "./decide.ts";

export const { spec, run } = decideCommand({
  operation: "approveApproval",
  word: "approve",
  description:
    "Approves what `approvals show` says, once. Whatever of it has changed since makes the approval invalid instead.",
  does: "let the task be done, once",
});
