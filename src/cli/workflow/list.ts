import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  examples: [{ command: "lightflow workflow list", does: "what `run: workflow` can find" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listPublications", {});
    io.print(answer, (paint) =>
      answer.workflows.length === 0
        ? "nothing is published\n"
        : tableText([
            ["workflow", "version", "digest", "since"].map((head) => paint.dim(head)),
            ...answer.workflows.map((each) => [
              `${each.namespace}/${each.name}`,
              each.version,
              each.digest,
              each.created_at,
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
