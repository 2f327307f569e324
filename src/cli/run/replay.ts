import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { followStarted, NEW_ID } from "./follow-started.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Runs the stored definition of a run again with its inputs and without the cache, and reports what has drifted: the asset's file, the models, who executed, and the outputs by digest.",
  positionals: [RUN_ID],
  flags: { id: NEW_ID },
  examples: [
    { command: "lightflow run replay release-1 | jq .drifted", does: "whether the same run gives the same" },
  ],
  exits: { [EXIT.failed]: "the new run failed or was cancelled" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  followStarted(
    io,
    false,
    (client) =>
      client.call("replayRun", {
        run_id: positionals.run,
        ...(flags.id === undefined ? {} : { new_run_id: flags.id }),
      }),
    (client, runId) => client.call("driftOfRun", { run_id: runId }),
  );
