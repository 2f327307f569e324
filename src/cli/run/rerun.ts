import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { followStarted, NEW_ID, WATCH } from "./follow-started.ts";
import { readInputs } from "./read-inputs.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Runs the workflow of a run again, as its file says now, with the same inputs or with some changed. Steps whose output is known do not run.",
  positionals: [RUN_ID],
  flags: {
    set: { type: "pairs", value: "NAME=VALUE", about: "another value for one input. May be repeated" },
    "no-cache": { type: "boolean", about: "run every step, also those whose output is known" },
    id: NEW_ID,
    watch: WATCH,
  },
  examples: [
    { command: "lightflow run rerun image-7 --set seed=8", does: "the same picture with another seed" },
  ],
  exits: { [EXIT.failed]: "the new run failed or was cancelled" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  followStarted(io, flags.watch, async (client) =>
    client.call("rerunRun", {
      run_id: positionals.run,
      ...(await readInputs(flags, client, io)),
      ...(flags["no-cache"] ? { no_cache: true } : {}),
      ...(flags.id === undefined ? {} : { new_run_id: flags.id }),
      project_root: io.root(),
      working_directory: io.cwd,
    }),
  );
