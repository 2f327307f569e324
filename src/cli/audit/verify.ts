import { createReadStream, existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { verifyExport } from "../../audit/index.ts";
import { fail } from "../../base/errors.ts";
import { connectToRead } from "../../host/index.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { CHAIN_FLAG } from "./flags.ts";

export const spec = {
  description:
    "Check the chain of a tenant: each entry's hash covers the entry and the hash before it, so that a changed, removed or reordered one is found. Keep the end that is printed elsewhere: whoever can rewrite the whole store can rewrite the whole chain.",
  flags: {
    file: { type: "string", value: "FILE", about: "check an export instead; needs no store" },
    ...CHAIN_FLAG,
  },
  examples: [
    { command: "lightflow audit verify", does: "exit 1 and the first wrong entry, if there is one" },
    { command: "lightflow audit verify --file 2026.jsonl", does: "an export on its own" },
  ],
  exits: { [EXIT.local]: "the chain is broken" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const report = flags.file === undefined ? await ofStore() : await ofFile(resolve(io.cwd, flags.file));
  io.print(report, () =>
    report.ok
      ? `${report.entries} entries hold, up to ${report.end} ${report.end_hash}\n`
      : `broken at entry ${report.broken_at}\n`,
  );
  return report.ok ? EXIT.ok : EXIT.local;

  async function ofStore() {
    const client = await connectToRead(io.paths, io.log(), io.root(), true);
    try {
      return await client.call("verifyAuditChain", { tenant: flags.tenant });
    } finally {
      await client.close();
    }
  }
};

async function ofFile(path: string) {
  if (!existsSync(path)) throw fail("io", `there is no file ${path}`);
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  const { after, end, rows, brokenAt } = await verifyExport(lines);
  return {
    ok: brokenAt === null,
    start: after.seq,
    entries: rows,
    end: end.seq,
    end_hash: end.hash,
    broken_at: brokenAt,
  };
}
