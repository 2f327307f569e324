import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { findRun, listArtifacts, listSweepRuns, optionsOf } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { newRunId, startAsset } from "../runs/start.ts";
import { runView } from "../runs/view.ts";
import { AnyJson, closed, Integer, RunId, Text } from "../shapes.ts";
import { ratingsOf } from "./rate.ts";

/** Runs of one sweep: what a person still compares. */
const MOST = 256;
const Values = Type.Array(Type.String(), { minItems: 1, maxItems: MOST });
const Parameters = Type.Record(Type.String(), Type.String());

export const sweepRuns = defineOperation({
  name: "run.sweep",
  scope: "run",
  summary: "Start a run for each combination of the values of some inputs",
  method: "POST",
  path: "/sweeps",
  status: 202,
  input: closed({
    workflow_asset_id: Type.String({ minLength: 1, maxLength: 256 }),
    sweep_id: Type.Optional(Type.String({ pattern: "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,120}$" })),
    axes: Type.Record(Type.String({ maxLength: 256 }), Values),
    inputs: Type.Optional(Type.Unknown()),
    preset: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    no_cache: Type.Optional(Type.Boolean()),
    project_root: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    working_directory: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  }),
  output: closed({
    sweep_id: Text,
    runs: Type.Array(closed({ run_id: Text, parameters: Parameters })),
  }),
  async run(context, input) {
    const { sweep_id, axes, inputs, ...rest } = input;
    const points = combinations(axes as Record<string, string[]>);
    if (points.length > MOST) {
      throw fail("invalid_request", `the sweep has ${points.length} runs, the limit is ${MOST}`, {
        hint: "leave values out, or sweep one input after the other",
      });
    }
    const id = sweep_id ?? newRunId(input.workflow_asset_id, context.clock.wall());
    if (context.views.read(listSweepRuns, { tenantId: context.tenantId, sweepId: id }).length > 0) {
      throw fail("conflict", `conflict: sweep ${id} already exists`, {
        hint: "leave --id out, or choose another",
      });
    }
    const runs: { run_id: string; parameters: Record<string, string> }[] = [];
    for (const [at, parameters] of points.entries()) {
      const { run_id } = await startAsset(context, {
        ...rest,
        inputs: (inputs ?? {}) as Json,
        run_id: `${id}.${String(at + 1).padStart(3, "0")}`,
        set: parameters,
        sweep: { id, parameters },
      });
      runs.push({ run_id, parameters });
    }
    return { sweep_id: id, runs };
  },
});

/** Every combination, the last axis fastest. */
function combinations(axes: Readonly<Record<string, readonly string[]>>): Record<string, string>[] {
  let points: Record<string, string>[] = [{}];
  for (const [name, values] of Object.entries(axes)) {
    // Counted before they are made.
    if (points.length * values.length > 100_000) throw fail("invalid_request", "the sweep has too many runs");
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })));
  }
  return points;
}

export const sweepTable = defineOperation({
  name: "run.sweep-table",
  scope: "read",
  summary: "The runs of a sweep beside each other: parameters, status, time, output, artifacts, ratings",
  method: "GET",
  path: "/sweeps/:sweep_id",
  input: closed({ sweep_id: RunId }),
  output: closed({
    sweep_id: Text,
    runs: Type.Array(
      closed({
        run_id: Text,
        parameters: Parameters,
        status: Text,
        duration_ms: Integer,
        output: AnyJson,
        artifacts: Type.Array(
          closed({ step_id: Text, name: Text, sha256: Text, size: Integer, media_type: Text }),
        ),
        ratings: Type.Array(AnyJson),
      }),
    ),
  }),
  run(context, input) {
    const rows = context.views.read(listSweepRuns, { tenantId: context.tenantId, sweepId: input.sweep_id });
    const mine = rows.filter((row) => optionsOf(row).sweep?.id === input.sweep_id);
    if (mine.length === 0) throw fail("not_found", `not found: sweep ${input.sweep_id}`);
    return {
      sweep_id: input.sweep_id,
      runs: mine.map((row) => {
        const view = runView(context.views.read(findRun, { tenantId: context.tenantId, runId: row.run_id }));
        return {
          run_id: row.run_id,
          parameters: optionsOf(row).sweep!.parameters,
          status: view.status,
          duration_ms: view.duration_ms,
          output: view.output,
          artifacts: context.views
            .read(listArtifacts, { instanceId: row.id })
            .map(({ step_id, name, sha256, size, media_type }) => ({
              step_id,
              name,
              sha256,
              size,
              media_type,
            })),
          ratings: ratingsOf(context, row.run_id) as unknown as JsonObject[],
        };
      }),
    };
  },
});
