import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { followStarted, NEW_ID, WATCH } from "./follow-started.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Tries an ended run again as a new one: the same definition and inputs, from the first step that failed or from --from on. Outputs of the steps before it are taken over; steps that share the run's workspace run again together.",
  positionals: [RUN_ID],
  flags: {
    from: { type: "string", value: "STEP", about: "the first step that runs again" },
    id: NEW_ID,
    watch: WATCH,
  },
  examples: [
    { command: "lightflow run retry release-1 --from package", does: "only what comes from there on" },
  ],
  exits: { [EXIT.failed]: "the new run failed or was cancelled" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  followStarted(io, flags.watch, (client) =>
    client.call("retryRun", {
      run_id: positionals.run,
      ...(flags.from === undefined ? {} : { from: flags.from }),
      ...(flags.id === undefined ? {} : { new_run_id: flags.id }),
    }),
  );
