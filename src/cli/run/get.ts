import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { readReport } from "./finish.ts";
import { NO_HOST, reportText } from "./report.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  positionals: [RUN_ID],
  examples: [
    {
      command: "lightflow run get release-1 --json",
      does: "status, inputs, output, error and steps of a run",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const report = await readReport(client, positionals.run);
    io.print(
      {
        ...report.run,
        steps: report.run.steps ?? report.steps,
        artifacts: report.artifacts,
        ratings: report.ratings,
      },
      (paint) => reportText(report, paint),
    );
    if (client.kind === "store" && report.run.status === "running" && io.isTerminal) io.stderr.line(NO_HOST);
    return 0;
  } finally {
    await client.close();
  }
};
