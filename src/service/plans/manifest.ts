import type { JsonObject } from "../../base/json.ts";
import type { Plan, PlanStep } from "../../store/index.ts";
import type { Manifest, StepRecord } from "./shapes.ts";

/** A step in the seed's shape. One whose request is only about to be committed is still planned. */
function stepRecord(step: PlanStep): StepRecord {
  const { step_id, node_or_composition_id, cortex, ...rest } = step.record;
  const status = step.status === "submitting" ? "planned" : step.status;
  return { step_id, node_or_composition_id, cortex, status, ...rest } as unknown as StepRecord;
}

export function manifestOf(plan: Plan): Manifest {
  return {
    run_id: plan.instance.run_id,
    workflow_asset_id: plan.instance.workflow,
    cancelled: plan.cancelled,
    steps: plan.steps.map(stepRecord),
  };
}

/** What later steps see of earlier ones: `{inputs, steps: {id: {output}}}`. */
export function scopeOf(plan: Plan): JsonObject {
  const { raw_input: inputs } = JSON.parse(plan.instance.snapshot) as { raw_input: JsonObject };
  const ended = plan.steps.filter((step) => step.status === "succeeded");
  return {
    inputs,
    steps: Object.fromEntries(ended.map((step) => [step.step_id, { output: step.output }])),
  };
}
