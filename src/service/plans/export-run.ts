import { isAbsolute, join } from "node:path";
import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { makePrivateDirectory, writeFileDurable } from "../../base/files.ts";
import { findRun, listArtifacts, listInputs, readDefinition } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { stepsOfRun } from "../runs/steps.ts";
import { runView } from "../runs/view.ts";
import { closed, named, Text } from "../shapes.ts";
import { eventLines, prettyJson, runDirectory, writeLines, writePlan } from "./export.ts";
import { findPlan } from "./read.ts";
import { checkRunId, RunSegment } from "./shapes.ts";

export const exportRun = defineOperation({
  name: "run.export",
  scope: "run",
  summary: "Write a run as a directory of JSON files; only for callers on this host",
  method: "POST",
  path: "/runs/:run_id/export",
  input: closed({
    run_id: RunSegment,
    /** Absolute; the run's own directory in the state directory when absent. */
    directory: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  }),
  output: named("RunExport", closed({ run_id: Text, directory: Text })),
  async run(context, input) {
    if (!context.trustsPaths) throw fail("forbidden", "only a caller on this host may have files written");
    const runId = checkRunId(input.run_id);
    const directory = input.directory ?? runDirectory(context, runId);
    if (!isAbsolute(directory)) throw fail("invalid_request", "/directory: must be an absolute path");
    const plan = findPlan(context, runId);
    if (plan !== null) writePlan(context, plan, directory);
    else await writeRun(context, runId, directory);
    return { run_id: runId, directory };
  },
});

/** A run that goes on by itself, in the same files. */
async function writeRun(context: ServiceContext, runId: string, directory: string): Promise<void> {
  const row = context.views.read(findRun, { tenantId: context.tenantId, runId });
  const view = runView(row);
  makePrivateDirectory(join(directory, "outputs"));
  writeFileDurable(
    join(directory, "request.json"),
    prettyJson({ run_id: runId, workflow_asset_id: row.workflow, inputs: view.inputs }),
  );
  writeFileDurable(
    join(directory, "resolved_workflow.json"),
    prettyJson(context.views.read(readDefinition, row.definition_digest)),
  );
  writeLines(join(directory, "events.jsonl"), eventLines(context, row));
  writeLines(join(directory, "trace.jsonl"), inputLines(context, row.id, runId));
  const artifacts = context.views.read(listArtifacts, { instanceId: row.id });
  for (const artifact of artifacts) {
    if (!context.artifacts.has(artifact.sha256)) continue;
    const safe = artifact.name.replaceAll(/[^A-Za-z0-9._-]/g, "-").replace(/^\.+/, "");
    await Bun.write(
      join(directory, "outputs", `${artifact.step_id}-${safe}`),
      context.artifacts.open(artifact.sha256),
    );
  }
  writeFileDurable(join(directory, "outputs", "output.json"), prettyJson(view.output));
  writeFileDurable(
    join(directory, "manifest.json"),
    prettyJson({ ...view, steps: stepsOfRun(context, row), artifacts }),
  );
}

function* inputLines(context: ServiceContext, instanceId: string, runId: string): Generator<string> {
  for (let after = 0; ; ) {
    const rows = context.views.read(listInputs, { instanceId, after, limit: 1000 });
    if (rows.length === 0) return;
    for (const { seq, recorded_at, body } of rows)
      yield JSON.stringify({ seq, ts: isoTime(recorded_at), run_id: runId, input: body });
    after = rows.at(-1)!.seq;
  }
}
