import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description: "Forgets outputs of steps; runs and their artifacts stay as they are.",
  flags: {
    "unused-days": {
      type: "integer",
      value: "DAYS",
      minimum: 0,
      maximum: 36_500,
      about: "only what no run has used for so long; all of it when left out",
    },
  },
  examples: [{ command: "lightflow cache prune --unused-days 30", does: "keep what is in use" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const days = flags["unused-days"];
    const done = await client.call("pruneStepCache", days === undefined ? {} : { unused_days: days });
    io.print(done, () => `${done.removed} removed, ${done.entries} kept\n`);
    return 0;
  } finally {
    await client.close();
  }
};
