import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { LAYER, layerOf, TENANT } from "./layer.ts";

export const spec = {
  positionals: [LAYER],
  flags: { tenant: TENANT },
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
    io.print(await client.call("getPolicy", layerOf(positionals.layer, flags.tenant)));
    return 0;
  } finally {
    await client.close();
  }
};
