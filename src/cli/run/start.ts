import { connectOrHost } from "../../host/index.ts";
import { newRunId } from "../../service/index.ts";
import { EXIT } from "../exit.ts";
import type { Io } from "../io.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { finishRun } from "./finish.ts";
import { readInputs } from "./read-inputs.ts";
import { watchRun } from "./watch.ts";

export const spec = {
  description:
    "Uses a running `lightflow up`; without one, hosts the orchestrator, controller and a runner itself until the run has ended. With --watch the output of its commands is shown as it comes, on stderr; the answer is on stdout.",
  positionals: [
    { name: "workflow", label: "workflow asset id", ids: "workflow", about: "such as workflow.hello" },
  ],
  flags: {
    inputs: { type: "string", value: "JSON|@FILE|-", about: "the workflow's inputs, as a JSON object" },
    set: {
      type: "pairs",
      value: "NAME=VALUE",
      about:
        "one input, over those of --inputs; `NAME=@FILE` puts the file in as an artifact. May be repeated",
    },
    preset: {
      type: "string",
      value: "NAME",
      about: "inputs of lightflow/presets/NAME.ts, below the others",
    },
    "no-cache": { type: "boolean", about: "run every step, also those whose output is known" },
    id: { type: "string", value: "RUN_ID", about: "name of the run; made up when left out" },
    watch: { type: "boolean", about: "show the run as it goes, and exit as it ends" },
    idempotent: {
      type: "boolean",
      about: "when the same --id was started with the same content, answer with that run",
    },
    format: {
      type: "string",
      value: "FORMAT",
      choices: ["table", "json"],
      about: "how the end is printed; by default a table on a terminal",
    },
  },
  examples: [
    {
      command: `lightflow run start workflow.release_check --inputs '{"repository":"."}' --watch`,
      does: "check this repository and package it, watching",
    },
    { command: "lightflow run start workflow.hello --inputs @inputs.json", does: "inputs from a file" },
  ],
  exits: {
    [EXIT.failed]: "the run failed or was cancelled (with --watch, or when this command hosts the run)",
  },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { runner } = io.settings();
  const stop = io.stop();
  const client = await connectOrHost({ paths: io.paths, log: io.log(), root: io.root(), runner });
  const ended = new AbortController();
  let finished = false;
  try {
    const started = await client.call("startRun", {
      workflow_asset_id: positionals.workflow,
      run_id: flags.id ?? newRunId(positionals.workflow, Date.now()),
      ...(await readInputs(flags, client, io)),
      ...(flags.preset === undefined ? {} : { preset: flags.preset }),
      ...(flags["no-cache"] ? { no_cache: true } : {}),
      idempotent: flags.idempotent,
      project_root: io.root(),
      working_directory: io.cwd,
    });
    if (!flags.watch && client.kind === "socket") {
      finished = true;
      io.print(started, () => `${started.run_id}\n\nwatch it: lightflow run watch ${started.run_id}\n`);
      return EXIT.ok;
    }
    io.stderr.line(`run ${started.run_id}`);
    const watching = AbortSignal.any([stop, ended.signal]);
    await Promise.race([watchRun(client, started.run_id, io, watching), client.failed]);
    if (stop.aborted) return interrupted(io, started.run_id, stop, client.kind === "host");
    finished = true;
    return await finishRun(client, started.run_id, io, flags.format);
  } finally {
    ended.abort();
    await client.close({ abandon: !finished });
  }
};

/** The run is in the store: say how it goes on. */
export function interrupted(io: Io, runId: string, stop: AbortSignal, hosted: boolean): number {
  io.stderr.line(
    hosted
      ? `stopped; run ${runId} is kept and goes on with: lightflow up`
      : `no longer watching; run ${runId} goes on: lightflow run watch ${runId}`,
  );
  return exitOf(stop);
}
