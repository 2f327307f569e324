import { existsSync } from "node:fs";
import { Type } from "@sinclair/typebox";
import type { WorkflowStepDef } from "../../assets/index.ts";
import { fail } from "../../base/errors.ts";
import { LIMITS } from "../../base/limits.ts";
import { type RequestTarget, readOutcome, submit } from "../../cortex/index.ts";
import {
  abandonSubmit,
  beginSubmit,
  confirmSubmit,
  type Plan,
  type PlanStep,
  readDefinition,
} from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { exportPlan } from "./export.ts";
import { manifestOf, scopeOf } from "./manifest.ts";
import { isAlive, thisProcess } from "./owner.ts";
import { readPlan } from "./read.ts";
import { exchangeTask, renderRequest } from "./render.ts";
import { checkRunId, newRecord, RunManifest, RunSegment } from "./shapes.ts";

const BODY_BYTES = LIMITS.exchangeBodyBytes;

export const submitStep = defineOperation({
  name: "run.submit",
  scope: "run",
  summary: "Commit the request of one step into CortexFS",
  method: "POST",
  path: "/runs/:run_id/steps/:step_id/submit",
  status: 202,
  body: "bytes",
  input: closed({
    run_id: RunSegment,
    step_id: Type.String({ maxLength: 1024 }),
    /** Sent byte for byte and not looked into; without it the step's template is rendered. */
    body: Type.Optional(Type.String({ maxLength: BODY_BYTES })),
    body_base64: Type.Optional(Type.String({ maxLength: BODY_BYTES * 2 })),
  }),
  output: RunManifest,
  async run(context, input) {
    const runId = checkRunId(input.run_id);
    const plan = readPlan(context, runId);
    const step = plan.steps.find((each) => each.step_id === input.step_id);
    if (step === undefined) throw fail("not_found", `not found: step ${input.step_id} of run ${runId}`);
    const of = { tenantId: context.tenantId, runId, stepId: step.step_id };
    await finishLeftBehind(context, of, step);
    if (step.status !== "planned" && step.status !== "submitting") {
      throw fail("conflict", `conflict: run step ${step.step_id} is already ${step.status}`);
    }
    const body =
      input.body_base64 !== undefined
        ? Buffer.from(input.body_base64, "base64")
        : (input.body ?? (await rendered(context, plan, step.step_id)));
    const owner = thisProcess();
    const target = await unused(step.record["cortex"] as unknown as RequestTarget);
    const node = step.record["node_or_composition_id"] as string | null;
    await context.records.write(beginSubmit, {
      ...of,
      owner,
      alive: isAlive,
      requestId: target.request_id,
      record: newRecord(step.step_id, node, target),
    });
    try {
      await submit(target, body);
    } catch (error) {
      await context.records.write(abandonSubmit, { ...of, owner });
      throw error;
    }
    const done = await context.records.write(confirmSubmit, {
      ...of,
      record: newRecord(step.step_id, node, target, target.commit_request),
      path: target.commit_request,
      now: context.clock.wall(),
    });
    exportPlan(context, done);
    return manifestOf(done);
  },
});

/** The request that the step's template makes, by the definition that the run keeps. */
async function rendered(context: ServiceContext, plan: Plan, stepId: string): Promise<string> {
  const document = context.views.read(readDefinition, plan.instance.definition_digest);
  const steps = plan.definition["steps"] as unknown as WorkflowStepDef[];
  const step = steps.find(({ step_id }) => step_id === stepId);
  return await renderRequest(stepId, step, exchangeTask(document?.["do"], stepId), scopeOf(plan));
}

/** Whether a request of this name was committed, by whoever. */
export async function wasCommitted(target: RequestTarget): Promise<boolean> {
  return existsSync(target.commit_request) || (await readOutcome(target)).state !== "pending";
}

/**
 * A process died while it committed this very request. When the file is there it was submitted, and so it is said; else
 * the step can be submitted again.
 */
async function finishLeftBehind(
  context: ServiceContext,
  of: { tenantId: string; runId: string; stepId: string },
  step: PlanStep,
): Promise<void> {
  if (step.status !== "submitting" || step.owner === null || isAlive(step.owner)) return;
  const target = step.record["cortex"] as unknown as RequestTarget;
  if (!(await wasCommitted(target))) return;
  const node = step.record["node_or_composition_id"] as string | null;
  await context.records.write(confirmSubmit, {
    ...of,
    record: newRecord(step.step_id, node, target, target.commit_request),
    path: target.commit_request,
    now: context.clock.wall(),
  });
  throw fail("conflict", `conflict: run step ${step.step_id} is already submitted`);
}

/** A request id is the key by which CortexFS answers a repeat: one that was used before gets a number. */
async function unused(target: RequestTarget): Promise<RequestTarget> {
  for (let attempt = 1, candidate = target; ; candidate = renamed(target, ++attempt)) {
    if (!(await wasCommitted(candidate))) return candidate;
  }
}

function renamed(target: RequestTarget, attempt: number): RequestTarget {
  const id = `${target.request_id}.${attempt}`;
  const rename = (path: string) => path.replace(`/${target.request_id}.`, `/${id}.`);
  return {
    ...target,
    request_id: id,
    staged_request: rename(target.staged_request),
    commit_request: rename(target.commit_request),
    response: rename(target.response),
    error: rename(target.error),
    fingerprint: rename(target.fingerprint),
    route_metadata: target.route_metadata === null ? null : rename(target.route_metadata),
  };
}
