import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  positionals: [{ name: "layer", label: "layer", choices: ["service", "tenant"] }],
  flags: {
    tenant: {
      type: "string",
      value: "TENANT",
      ids: "tenant",
      default: "default",
      about: "whose, for the layer tenant",
    },
  },
  examples: [
    {
      command: "lightflow policy get tenant --tenant acme",
      does: "the policy of acme, and who published it",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const { layer } = positionals;
    const answer = await client.call("getPolicy", {
      layer,
      ...(layer === "tenant" ? { tenant: flags.tenant } : {}),
    });
    io.print(answer);
    return 0;
  } finally {
    await client.close();
  }
};
