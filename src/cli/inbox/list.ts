import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description:
    "What waits for a person: questions of workflows (`ask`), approvals, steps whose outcome is not known, and what else an operator has to look at.",
  flags: { all: { type: "boolean", about: "resolved ones too" } },
  examples: [
    {
      command: "lightflow inbox list",
      does: "what waits for a person, with the run and the step",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listInbox", { all: flags.all });
    io.print(answer, (paint) =>
      answer.tasks.length === 0
        ? "nothing waits for an operator\n"
        : `${tableText([
            ["task", "kind", "run", "step", "reason", "since"].map((head) => paint.dim(head)),
            ...answer.tasks.map((each) => [
              each.id,
              each.kind,
              String(each.body["run_id"] ?? ""),
              String(each.body["step_id"] ?? ""),
              String(each.body["reason"] ?? each.subject),
              each.created_at,
            ]),
          ])}${paint.dim("lightflow inbox show TASK says what each waits for, and what resolves it")}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
