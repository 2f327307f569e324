import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  flags: { all: { type: "boolean", about: "decided ones too" } },
  examples: [{ command: "lightflow approvals list", does: "what waits for somebody to agree" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listApprovals", { all: flags.all });
    io.print(answer, (paint) =>
      answer.approvals.length === 0
        ? "nothing waits for an approval\n"
        : tableText([
            ["approval", "run", "step", "does", "target", "state", "until"].map((head) => paint.dim(head)),
            ...answer.approvals.map((each) => [
              each.id,
              each.run_id,
              each.step_id,
              each.operations.join(", "),
              each.target ?? "",
              each.state,
              each.expires_at,
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
