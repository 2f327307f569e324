import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  flags: { all: { type: "boolean", about: "resolved ones too" } },
  examples: [
    {
      command: "lightflow inbox list",
      does: "what waits for an operator, such as a step whose outcome is not known",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("listInbox", { all: flags.all });
    io.print(answer, (paint) =>
      answer.tasks.length === 0
        ? "nothing waits for an operator\n"
        : tableText([
            ["task", "kind", "step", "reason", "since"].map((head) => paint.dim(head)),
            ...answer.tasks.map((each) => [
              each.id,
              each.kind,
              String(each.body["step_id"] ?? ""),
              String(each.body["reason"] ?? ""),
              each.created_at,
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
