import { storePath } from "../../host/index.ts";
import { checkStore } from "../../store/maintenance.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Reads the whole store: its pages, the references between rows, and the audit chain. Changes nothing.",
  examples: [{ command: "lightflow db check", does: "after a disk fault, or before an upgrade" }],
  exits: { [EXIT.local]: "the store is damaged" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const report = checkStore(storePath(io.paths));
  io.print(report, (paint) =>
    report.ok
      ? `${paint.green("✓")} the store is sound (schema ${report.schema})\n`
      : `${paint.red("✗")} the store is damaged:\n${report.problems.map((each) => `  ${each}`).join("\n")}\nrestore a backup: lightflow db restore FILE\n`,
  );
  return report.ok ? EXIT.ok : EXIT.local;
};
