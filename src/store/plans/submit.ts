import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { appendEvents } from "../instances/events.ts";
import type { Operation, Transaction } from "../operation.ts";
import { appendTrace, type Plan, type PlanStep, planOfRun, settleInstance } from "./plan.ts";

interface StepOf {
  tenantId: string;
  runId: string;
  stepId: string;
}

function stepOf(plan: Plan, stepId: string): PlanStep {
  const step = plan.steps.find((each) => each.step_id === stepId);
  if (step === undefined) {
    throw fail("not_found", `not found: step ${stepId} of run ${plan.instance.run_id}`, {
      hint: `its steps: ${plan.steps.map((each) => each.step_id).join(", ") || "none"}`,
    });
  }
  return step;
}

/**
 * Say that a step's request is about to be committed, before it is: a crash in between leaves the intent.
 * @param alive whether the process that left an intent still works on it
 * @throws Failure `conflict` unless the step is planned, or its intent was left behind
 */
export const beginSubmit: Operation<
  StepOf & { owner: string; alive(owner: string): boolean; requestId: string; record: JsonObject },
  PlanStep
> = (tx, input) => {
  const plan = planOfRun(tx, input.tenantId, input.runId);
  const step = stepOf(plan, input.stepId);
  if (plan.cancelled) throw taken(step.step_id, "cancelled");
  const lapsed = step.status === "submitting" && step.owner !== null && !input.alive(step.owner);
  if (step.status !== "planned" && !lapsed) throw taken(step.step_id, step.status);
  tx.run(
    "UPDATE plan_step SET status = 'submitting', owner = ?, request_id = ?, record = ? WHERE instance_id = ? AND position = ?",
    input.owner,
    input.requestId,
    JSON.stringify(input.record),
    plan.instance.id,
    step.position,
  );
  return step;
};

const taken = (stepId: string, status: string) =>
  fail("conflict", `conflict: run step ${stepId} is already ${status}`, {
    hint: "look at it: lightflow run get RUN",
  });

/** The request is not there: the step is as it was before {@link beginSubmit}. */
export const abandonSubmit: Operation<StepOf & { owner: string }, boolean> = (tx, input) => {
  const { instance } = planOfRun(tx, input.tenantId, input.runId);
  return (
    tx.run(
      "UPDATE plan_step SET status = 'planned', owner = NULL WHERE instance_id = ? AND step_id = ? AND status = 'submitting' AND owner = ?",
      instance.id,
      input.stepId,
      input.owner,
    ) > 0
  );
};

/** The request is on disk under its committed name. */
export const confirmSubmit: Operation<StepOf & { record: JsonObject; path: string; now: number }, Plan> = (
  tx,
  input,
) => {
  const { instance } = planOfRun(tx, input.tenantId, input.runId);
  const changed = tx.run(
    "UPDATE plan_step SET status = 'submitted', owner = NULL, record = ? WHERE instance_id = ? AND step_id = ? AND status = 'submitting'",
    JSON.stringify(input.record),
    instance.id,
    input.stepId,
  );
  if (changed > 0) noteSubmitted(tx, instance.id, input.stepId, input.path, input.now);
  settleInstance(tx, instance, input.now);
  return planOfRun(tx, input.tenantId, input.runId);
};

function noteSubmitted(tx: Transaction, instanceId: string, stepId: string, path: string, now: number): void {
  appendEvents(tx, instanceId, now, [
    { event: "step.submitted", step_id: stepId, reference: null, detail: path },
  ]);
  appendTrace(tx, instanceId, now, [{ event: "cortex.request.committed", step_id: stepId, path }]);
}

export interface Observation {
  position: number;
  /** `submitted`: an intent whose request turned out to be there. */
  status: "submitted" | "succeeded" | "failed";
  record: JsonObject;
  fingerprint: string | null;
  output: Json;
  /** The file that says so. */
  path: string;
}

/** Take in what was seen in `/ctx`. Only a step whose request was committed can end; nothing else moves. */
export const observeSteps: Operation<
  { tenantId: string; runId: string; seen: readonly Observation[]; now: number },
  Plan
> = (tx, input) => {
  const plan = planOfRun(tx, input.tenantId, input.runId);
  const { id } = plan.instance;
  for (const seen of input.seen) {
    const step = plan.steps[seen.position]!;
    if (step.status !== "submitted" && step.status !== "submitting") continue;
    if (step.status === "submitting")
      noteSubmitted(tx, id, step.step_id, String(seen.record["submitted_request_path"]), input.now);
    tx.run(
      "UPDATE plan_step SET status = ?, owner = NULL, record = ?, output = ? WHERE instance_id = ? AND position = ?",
      seen.status,
      JSON.stringify(seen.record),
      seen.output === null ? null : JSON.stringify(seen.output),
      id,
      seen.position,
    );
    if (seen.status === "submitted") continue;
    appendEvents(tx, id, input.now, [
      { event: `step.${seen.status}`, step_id: step.step_id, reference: null, detail: seen.fingerprint },
    ]);
    const event = seen.status === "succeeded" ? "cortex.response.observed" : "cortex.error.observed";
    appendTrace(tx, id, input.now, [{ event, step_id: step.step_id, path: seen.path }]);
  }
  if (input.seen.length > 0) settleInstance(tx, plan.instance, input.now);
  return planOfRun(tx, input.tenantId, input.runId);
};

/** Cancel what has not ended; repeating it changes nothing. */
export const cancelPlan: Operation<{ tenantId: string; runId: string; now: number }, Plan> = (tx, input) => {
  const plan = planOfRun(tx, input.tenantId, input.runId);
  const { id, finished_at: finished } = plan.instance;
  if (plan.cancelled || (finished !== null && plan.instance.status === "completed")) return plan;
  tx.run("UPDATE plan SET cancelled = 1 WHERE instance_id = ?", id);
  tx.run(
    "UPDATE plan_step SET status = 'cancelled', owner = NULL WHERE instance_id = ? AND status IN ('planned', 'submitting', 'submitted')",
    id,
  );
  appendEvents(tx, id, input.now, [{ event: "run.cancelled", step_id: null, reference: null, detail: null }]);
  settleInstance(tx, plan.instance, input.now);
  return planOfRun(tx, input.tenantId, input.runId);
};
