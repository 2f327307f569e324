import { type Client, connectOrHost } from "../../host/index.ts";
import { isFinished, type OutputOf } from "../../service/index.ts";
import { EXIT } from "../exit.ts";
import { readJsonArgument } from "../inputs.ts";
import type { Io } from "../io.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { axisOf } from "./axes.ts";
import { duration } from "./report.ts";

export const spec = {
  description:
    "Starts a run for each combination of values, waits for all, and shows them beside each other. Steps that do not depend on what varies run once. Images that the runs hand over are laid out on a contact sheet.",
  positionals: [{ name: "workflow", label: "workflow asset id", ids: "workflow" }],
  flags: {
    set: {
      type: "pairs",
      value: "NAME=VALUES",
      about: "what varies: `seed=1..8`, `style=a,b`. May be repeated",
      required: true,
    },
    inputs: { type: "string", value: "JSON|@FILE|-", about: "the other inputs" },
    preset: { type: "string", value: "NAME", about: "inputs of lightflow/presets/NAME.ts, below the others" },
    "no-cache": { type: "boolean", about: "run every step, also those whose output is known" },
    id: { type: "string", value: "SWEEP_ID", about: "name of the sweep; made up when left out" },
  },
  examples: [
    {
      command: "lightflow run sweep workflow.portrait --set seed=1..8 --set style=oil,ink",
      does: "sixteen runs",
    },
  ],
  exits: { [EXIT.failed]: "a run of the sweep failed or was cancelled" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const axes = Object.fromEntries([...flags.set].map(([name, text]) => [name, axisOf(name, text)]));
  const inputs = flags.inputs === undefined ? {} : await readJsonArgument(flags.inputs, "--inputs", io);
  const { runner } = io.settings();
  const stop = io.stop();
  const client = await connectOrHost({ paths: io.paths, log: io.log(), root: io.root(), runner });
  let finished = false;
  try {
    const sweep = await client.call("sweepRuns", {
      workflow_asset_id: positionals.workflow,
      axes,
      inputs,
      ...(flags.id === undefined ? {} : { sweep_id: flags.id }),
      ...(flags.preset === undefined ? {} : { preset: flags.preset }),
      ...(flags["no-cache"] ? { no_cache: true } : {}),
      project_root: io.root(),
      working_directory: io.cwd,
    });
    io.stderr.line(`sweep ${sweep.sweep_id}: ${sweep.runs.length} runs`);
    for (const { run_id } of sweep.runs) await ended(client, run_id, stop);
    if (stop.aborted) {
      io.stderr.line(`stopped; the runs of ${sweep.sweep_id} are kept`);
      return exitOf(stop);
    }
    finished = true;
    const table = await client.call("sweepTable", { sweep_id: sweep.sweep_id });
    const sheet = await contactSheet(client, table, io, stop);
    io.print({ ...table, contact_sheet: sheet }, (paint) =>
      tableText([
        ["run", ...Object.keys(axes), "status", "time", "output"].map((head) => paint.dim(head)),
        ...table.runs.map((each) => [
          each.run_id,
          ...Object.keys(axes).map((name) => each.parameters[name] ?? ""),
          each.status,
          duration(each.duration_ms),
          (JSON.stringify(each.output) ?? "").slice(0, 60),
        ]),
      ]),
    );
    return table.runs.every(({ status }) => status === "succeeded") ? EXIT.ok : EXIT.failed;
  } finally {
    await client.close({ abandon: !finished });
  }
};

async function ended(client: Client, runId: string, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const wait = client.call("waitRun", { run_id: runId, wait_ms: 20_000 }, stop);
    const view = await Promise.race([wait, client.failed]).catch((error: unknown) => {
      if (stop.aborted) return null;
      throw error;
    });
    if (view === null || isFinished(view.status)) return;
  }
}

/** The workflow that lays images out on one sheet; decoding pictures is work for a sandbox. */
const SHEET = "workflow.contact_sheet";

/** What collects a step's files does not look into them: the name says it where the type does not. */
const isImage = (artifact: { name: string; media_type: string }): boolean =>
  artifact.media_type.startsWith("image/") || /\.(?:png|jpe?g|webp|avif|gif|bmp)$/i.test(artifact.name);

/** One picture of each run, in the order of the runs, as one image; null where there is none. */
async function contactSheet(
  client: Client,
  table: OutputOf<"sweepTable">,
  io: Io,
  stop: AbortSignal,
): Promise<{ run_id: string; sha256: string } | null> {
  const images = table.runs.flatMap(({ artifacts }) => {
    const image = artifacts.findLast(isImage);
    return image === undefined ? [] : [`sha256:${image.sha256}`];
  });
  if (images.length < 2) return null;
  try {
    const { run_id } = await client.call("startRun", {
      workflow_asset_id: SHEET,
      run_id: `${table.sweep_id}.sheet`,
      inputs: { images },
    });
    await ended(client, run_id, stop);
    const { artifacts } = await client.call("getArtifacts", { run_id });
    const sheet = artifacts.findLast(isImage);
    if (sheet !== undefined) return { run_id, sha256: sheet.sha256 };
    io.stderr.line(`the contact sheet was not made: lightflow run get ${run_id}`);
  } catch (error) {
    // The runs are what was asked for; the sheet only shows them.
    io.stderr.line(
      `the contact sheet was not made: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return null;
}
