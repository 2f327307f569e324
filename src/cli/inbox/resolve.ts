import { connectToOrchestrator } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Closes an operator task that was dealt with. What a run waits for is decided by `ask answer` or `attempts resolve` instead.",
  positionals: [{ name: "task", label: "task id", ids: "task", about: "as `lightflow inbox list` shows it" }],
  flags: { note: { type: "string", value: "TEXT", required: true, about: "what was done, for the audit" } },
  examples: [
    {
      command: "lightflow inbox resolve 0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11 --note 'the host was rebuilt'",
      does: "close it",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToOrchestrator(io.paths);
  try {
    const answer = await client.call("resolveInbox", { task_id: positionals.task, note: flags.note });
    io.print(answer, () => `${answer.task_id} is resolved\n`);
    return 0;
  } finally {
    await client.close();
  }
};
