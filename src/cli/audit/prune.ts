import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { CHAIN_FLAG } from "./flags.ts";

export const spec = {
  description:
    "Retention: entries older than so many days are exported to an artifact, and only then removed. The chain keeps its anchor, so that what is left still verifies. A broken chain is not touched.",
  flags: {
    "keep-days": {
      type: "integer",
      value: "N",
      minimum: 0,
      maximum: 36_500,
      required: true,
      about: "entries of the last N days stay",
    },
    ...CHAIN_FLAG,
  },
  examples: [
    { command: "lightflow audit prune --keep-days 400", does: "prints the artifact that holds the rest" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("pruneAuditChain", {
      keep_days: flags["keep-days"],
      tenant: flags.tenant,
    });
    io.print(answer, () =>
      answer.artifact === null
        ? "there is nothing that old\n"
        : `${answer.pruned} entries are in artifact ${answer.artifact}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
