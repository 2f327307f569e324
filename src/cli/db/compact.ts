import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Moves the histories of runs that have ended into artifacts, one each. `run events` and the rest read them from there. A host does the same by itself each hour, for runs that ended 30 days ago (LIGHTFLOW_HISTORY_DAYS).",
  flags: {
    "older-than-days": {
      type: "integer",
      value: "DAYS",
      minimum: 0,
      maximum: 36_500,
      default: 30,
      about: "runs that ended so long ago",
    },
  },
  examples: [{ command: "lightflow db compact --older-than-days 7", does: "keep a week in the store" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const done = await client.call("compactStore", { older_than_days: flags["older-than-days"] });
    io.print(done, () => `${done.moved} histories moved, ${done.bytes} bytes\n`);
    return 0;
  } finally {
    await client.close();
  }
};
