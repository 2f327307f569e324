import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description:
    "Gives up what policy keeps no longer and removes the bytes that nothing else needs. A host does the same by itself each minute.",
  flags: { "dry-run": { type: "boolean", about: "say what would go, and how much" } },
  examples: [{ command: "lightflow artifact gc --dry-run", does: "what would go; removes nothing" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const done = await client.call("collectArtifacts", { dry_run: flags["dry-run"] });
    const sum = `${done.expired} references, ${done.removed} artifacts, ${done.freed_bytes} bytes, ${done.quarantined} from the quarantine`;
    io.print(done, () =>
      done.dry_run
        ? `${tableText(done.references.map((each) => [each.expires_at, each.kind, each.run_id ?? "", each.name, String(each.size), each.sha256]))}would go: ${sum}\n`
        : `removed: ${sum}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
