import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description:
    "Uploads of runners whose bytes were not what was announced. They are never served, and go after a week.",
  examples: [{ command: "lightflow artifact quarantine", does: "what is set aside, and since when" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listQuarantine", {});
    io.print(answer, (paint) =>
      tableText([
        ["upload", "bytes", "since", "until", "lease"].map((head) => paint.dim(head)),
        ...answer.uploads.map((each) => [
          each.upload_id,
          String(each.size),
          each.created_at,
          each.expires_at,
          each.lease_id,
        ]),
      ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
