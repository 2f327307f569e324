import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { digestOf } from "./digest.ts";

export const spec = {
  description:
    "Keeps an artifact, or all of a run, until the hold is released: no retention, pruning or compaction removes it. Several holds on one thing count each for itself. Needs the scope admin; the audit names who placed it and why.",
  flags: {
    artifact: { type: "string", value: "DIGEST", ids: "artifact", about: "these bytes" },
    run: { type: "string", value: "RUN", ids: "run", about: "the run with its artifacts, logs and history" },
    reason: { type: "string", value: "TEXT", about: "why (required)" },
  },
  examples: [
    {
      command: 'lightflow artifact hold --run release-1 --reason "case 4711"',
      does: "prints the hold with its id",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const hold = await client.call("holdArtifact", {
      reason: flags.reason ?? "",
      ...(flags.artifact === undefined ? {} : { sha256: digestOf(flags.artifact) }),
      ...(flags.run === undefined ? {} : { run_id: flags.run }),
    });
    io.print(hold, () => `${hold.hold_id}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
