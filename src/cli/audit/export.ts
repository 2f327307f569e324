import { constants, copyFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openArtifacts } from "../../artifacts/index.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { CHAIN_FLAG } from "./flags.ts";

export const spec = {
  description:
    "The whole kept chain as JSON lines, which `audit verify --file` checks without any store. It is kept as an artifact too.",
  flags: {
    out: { type: "string", value: "FILE", about: "copy it there; must not exist" },
    ...CHAIN_FLAG,
  },
  examples: [{ command: "lightflow audit export --out audit.jsonl", does: "for whoever keeps it elsewhere" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const exported = await client.call("exportAudit", { tenant: flags.tenant });
    if (flags.out !== undefined) {
      const path = resolve(io.cwd, flags.out);
      try {
        const from = openArtifacts(join(io.paths.state, "artifacts")).path(exported.artifact);
        copyFileSync(from, path, constants.COPYFILE_EXCL);
      } catch (error) {
        throw fail("io", `cannot write ${path}: ${toFailure(error).message}`, { cause: error });
      }
    }
    io.print(
      exported,
      () => `entries ${exported.after + 1} to ${exported.through}: artifact ${exported.artifact}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
