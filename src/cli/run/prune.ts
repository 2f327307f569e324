import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Removes ended runs with their logs, exports and the artifacts that nothing else names. Says what it would do; --apply does it. The audit stays, and so does what a legal hold keeps.",
  flags: {
    keep: { type: "integer", value: "N", minimum: 0, default: 20, about: "so many of the newest stay" },
    workflow: { type: "string", value: "ID", ids: "workflow", about: "only runs of this workflow" },
    status: {
      type: "string",
      value: "STATUS",
      choices: ["succeeded", "failed", "cancelled"],
      about: "only runs that ended so",
    },
    "older-than-days": { type: "integer", value: "DAYS", minimum: 0, about: "only runs that ended before" },
    apply: { type: "boolean", about: "remove them" },
  },
  examples: [
    { command: "lightflow run prune --older-than-days 30 --keep 0 --apply", does: "a month is kept" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const days = flags["older-than-days"];
    const report = await client.call("pruneRuns", {
      keep: flags.keep,
      apply: flags.apply,
      ...(flags.workflow === undefined ? {} : { workflow: flags.workflow }),
      ...(flags.status === undefined ? {} : { status: flags.status }),
      ...(days === undefined ? {} : { older_than_days: days }),
    });
    const held = report.held.length === 0 ? "" : `; legal holds keep ${report.held.length}`;
    io.print(report, () =>
      report.dry_run
        ? `${report.runs.length} runs would be removed${held}: add --apply\n`
        : `${report.removed} runs and ${report.artifacts} artifacts removed, ${report.freed_bytes} bytes${held}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
