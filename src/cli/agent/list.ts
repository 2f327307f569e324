import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  examples: [{ command: "lightflow agent list", does: "every version of every published agent" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listAgents", {});
    io.print(answer, (paint) =>
      answer.agents.length === 0
        ? "no agent is published\n"
        : tableText([
            ["agent", "version", "tools", "digest", "published"].map((head) => paint.dim(head)),
            ...answer.agents.map((each) => [
              each.name,
              each.version,
              each.tools.join(", "),
              each.digest,
              `${each.published_at} by ${each.published_by}`,
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
