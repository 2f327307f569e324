import { connectToRead } from "../../host/index.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { finishRun } from "./finish.ts";
import { NO_HOST } from "./report.ts";
import { RUN_ID } from "./run-id.ts";
import { interrupted } from "./start.ts";
import { watchRun } from "./watch.ts";

export const spec = {
  positionals: [RUN_ID],
  flags: {
    format: {
      type: "string",
      value: "FORMAT",
      choices: ["table", "json"],
      about: "how the end is printed; by default a table on a terminal",
    },
  },
  examples: [
    { command: "lightflow run watch release-1", does: "follow a run to its end; exit code 3 when it fails" },
  ],
  exits: { [EXIT.failed]: "the run failed or was cancelled" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const stop = io.stop();
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const { status } = await client.call("getRun", { run_id: positionals.run });
    if (client.kind === "store" && (status === "running" || status === "planned")) {
      io.stderr.line(NO_HOST);
    }
    await watchRun(client, positionals.run, io, stop);
    if (stop.aborted) return interrupted(io, positionals.run, stop, false);
    return await finishRun(client, positionals.run, io, flags.format);
  } finally {
    await client.close();
  }
};
