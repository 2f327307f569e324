import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  flags: { all: { type: "boolean", about: "those that were released too" } },
  examples: [{ command: "lightflow artifact holds", does: "what stands, since when, and why" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listLegalHolds", { all: flags.all });
    io.print(answer, (paint) =>
      answer.holds.length === 0
        ? "nothing is held\n"
        : tableText([
            ["hold", "on", "since", "by", "reason"].map((head) => paint.dim(head)),
            ...answer.holds.map((each) => [
              each.hold_id,
              each.run_id === null ? `sha256:${each.sha256}` : `run ${each.run_id}`,
              each.placed_at,
              each.placed_by,
              each.released_at === null ? each.reason : `${each.reason} (released ${each.released_at})`,
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
