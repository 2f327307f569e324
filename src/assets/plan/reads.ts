import type { Json } from "../../base/json.ts";
import type { StepTarget, WorkflowStepDef } from "../definition/types.ts";
import { noReferences, type References, referencesOf } from "./references.ts";

/** The expressions that decide whether and how often a step runs. */
export function conditionsOf(step: WorkflowStepDef): Json {
  return [step.if ?? null, step.map?.over ?? null, step.while?.that ?? null];
}

/** What the behaviour of a step reads of its view. */
export function behaviourReferences(
  target: StepTarget,
  step: WorkflowStepDef,
  extra: readonly (Json | undefined)[] = [],
): References {
  const found = referencesOf(target as unknown as Json, noReferences());
  if (target.kind === "api" || target.kind === "tool" || target.kind === "thread") {
    if (step.request === undefined) found.allInputs = true;
    else if (step.request.kind === "json") referencesOf(step.request.body, found);
    else found.inputs.push([step.request.input_field]);
  }
  // The function's one argument is all of its inputs.
  if (target.kind === "code") found.allInputs = true;
  for (const value of extra) referencesOf(value, found);
  return found;
}
