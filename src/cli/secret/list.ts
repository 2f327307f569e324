import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  examples: [{ command: "lightflow secret list", does: "names, kinds and times" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("listSecrets", {});
    io.print(answer, (paint) =>
      answer.secrets.length === 0
        ? "there are no secrets\n"
        : tableText([
            ["name", "kind", "updated"].map((head) => paint.dim(head)),
            ...answer.secrets.map((each) => [each.name, each.kind, each.updated_at]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
