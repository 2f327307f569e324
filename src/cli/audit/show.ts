import { fail } from "../../base/errors.ts";
import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { CHAIN_FLAG } from "./flags.ts";

export const spec = {
  positionals: [{ name: "seq", label: "entry number" }],
  flags: CHAIN_FLAG,
  examples: [{ command: "lightflow audit show 42", does: "one entry, with its hashes" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  if (!/^[1-9][0-9]{0,14}$/.test(positionals.seq))
    throw fail("usage", `${positionals.seq} is not an entry number`);
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const entry = await client.call("getAuditEntry", { seq: Number(positionals.seq), tenant: flags.tenant });
    io.print(entry);
    return 0;
  } finally {
    await client.close();
  }
};
