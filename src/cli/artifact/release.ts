import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description: "Ends a legal hold. What policy keeps no longer, and no other hold, then goes.",
  positionals: [{ name: "hold", label: "hold id", ids: "hold" }],
  flags: { reason: { type: "string", value: "TEXT", about: "why (required)" } },
  examples: [
    { command: 'lightflow artifact release 01… --reason "case closed"', does: "retention counts again" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const hold = await client.call("releaseArtifact", {
      hold_id: positionals.hold,
      reason: flags.reason ?? "",
    });
    io.print(hold, () => `the hold ${hold.hold_id} is released\n`);
    return 0;
  } finally {
    await client.close();
  }
};
