import { Type } from "@sinclair/typebox";
import { findRun, listArtifacts } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { stepsOfRun } from "../runs/steps.ts";
import { runView } from "../runs/view.ts";
import { AnyJson, closed, Integer, nullable, RunId, Text } from "../shapes.ts";
import { type Difference, differences } from "./differences.ts";

const Side = closed({ run_id: Text, workflow_asset_id: Text, status: Text, duration_ms: Integer });
const Pair = Type.Array(closed({ path: Text, a: AnyJson, b: AnyJson }));
const StepSide = nullable(closed({ status: Text, duration_ms: nullable(Integer), cached: Type.Boolean() }));

export const compareRuns = defineOperation({
  name: "run.compare",
  scope: "read",
  summary: "Where two runs differ: inputs, outputs, steps and their times, artifacts",
  method: "GET",
  path: "/runs/:run_id/compare/:other",
  input: closed({ run_id: RunId, other: RunId }),
  output: closed({
    a: Side,
    b: Side,
    same_definition: Type.Boolean(),
    inputs: Pair,
    output: Pair,
    steps: Type.Array(closed({ step_id: Text, reference: Text, a: StepSide, b: StepSide })),
    artifacts: Type.Array(
      closed({ step_id: Text, name: Text, a: nullable(Text), b: nullable(Text), same: Type.Boolean() }),
    ),
  }),
  run(context, input) {
    const a = sideOf(context, input.run_id);
    const b = sideOf(context, input.other);
    const references = new Set([...a.steps.keys(), ...b.steps.keys()]);
    const names = new Set([...a.artifacts.keys(), ...b.artifacts.keys()]);
    const shown = (pairs: Difference[]) =>
      pairs.map(({ path, ...values }) => ({ path: path || "/", ...values }));
    return {
      a: a.side,
      b: b.side,
      same_definition: a.view.definition_digest === b.view.definition_digest,
      inputs: shown(differences(a.view.inputs, b.view.inputs)),
      output: shown(differences(a.view.output, b.view.output)),
      steps: [...references].map((reference) => {
        const left = a.steps.get(reference);
        const right = b.steps.get(reference);
        return {
          step_id: (left ?? right)!.step_id,
          reference,
          a: stepSide(left),
          b: stepSide(right),
        };
      }),
      artifacts: [...names].map((key) => {
        const left = a.artifacts.get(key);
        const right = b.artifacts.get(key);
        const { step_id, name } = (left ?? right)!;
        return {
          step_id,
          name,
          a: left?.sha256 ?? null,
          b: right?.sha256 ?? null,
          same: left?.sha256 === right?.sha256,
        };
      }),
    };
  },
});

function sideOf(context: ServiceContext, runId: string) {
  const row = context.views.read(findRun, { tenantId: context.tenantId, runId });
  const view = runView(row);
  return {
    view,
    side: {
      run_id: view.run_id,
      workflow_asset_id: view.workflow_asset_id,
      status: view.status,
      duration_ms: view.duration_ms,
    },
    steps: new Map(stepsOfRun(context, row).map((step) => [step.reference, step])),
    artifacts: new Map(
      context.views
        .read(listArtifacts, { instanceId: row.id })
        .map((each) => [`${each.step_id}\0${each.name}`, each]),
    ),
  };
}

const stepSide = (step: { status: string; duration_ms: number | null; cached: boolean } | undefined) =>
  step === undefined ? null : { status: step.status, duration_ms: step.duration_ms, cached: step.cached };
