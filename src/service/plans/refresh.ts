import type { Json, JsonObject } from "../../base/json.ts";
import { type Outcome, type RequestTarget, readOutcome } from "../../cortex/index.ts";
import { type Observation, observeSteps, type PlanStep } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { exportPlan } from "./export.ts";
import { manifestOf } from "./manifest.ts";
import { readPlan } from "./read.ts";
import { checkRunId, RunManifest, RunSegment } from "./shapes.ts";
import { wasCommitted } from "./submit.ts";

/** Larger answers stay files of `/ctx`: later steps cannot take them as values. */
const OUTPUT_BYTES = 64 * 1024;

export const refreshRun = defineOperation({
  name: "run.refresh",
  scope: "run",
  summary: "Look what CortexFS answered to the requests that were committed",
  method: "POST",
  path: "/runs/:run_id/refresh",
  input: closed({ run_id: RunSegment }),
  output: RunManifest,
  async run(context, input) {
    const runId = checkRunId(input.run_id);
    const plan = readPlan(context, runId);
    const seen: Observation[] = [];
    if (!plan.cancelled) {
      for (const step of plan.steps) {
        if (step.status !== "submitted" && step.status !== "submitting") continue;
        const found = await observe(step);
        if (found !== null) seen.push(found);
      }
    }
    const after = await context.records.write(observeSteps, {
      tenantId: context.tenantId,
      runId,
      seen,
      now: context.clock.wall(),
    });
    exportPlan(context, after);
    return manifestOf(after);
  },
});

/** What the files of a step's request say that the store does not know yet. */
async function observe(step: PlanStep): Promise<Observation | null> {
  const target = step.record["cortex"] as unknown as RequestTarget;
  const outcome = await readOutcome(target);
  const submitted = {
    ...step.record,
    submitted_request_path: target.commit_request,
    audit_correlation: target.request_id,
  };
  const common = { position: step.position, fingerprint: outcome.fingerprint ?? null };
  if (outcome.state === "pending") {
    if (step.status === "submitted" || !(await wasCommitted(target))) return null;
    return { ...common, status: "submitted", record: submitted, output: null, path: target.commit_request };
  }
  const path = outcome.state === "succeeded" ? target.response : target.error;
  return {
    ...common,
    status: outcome.state,
    record: { ...submitted, ...observed(outcome, path) },
    output: answerOf(outcome.response ?? outcome.error ?? ""),
    path,
  };
}

function observed(outcome: Outcome, path: string): JsonObject {
  return {
    response_path: outcome.state === "succeeded" ? path : null,
    error_path: outcome.state === "failed" ? path : null,
    provider_id: outcome.route?.provider_id ?? null,
    model_id: outcome.route?.model_id ?? null,
    route_decision: outcome.route?.route_decision ?? null,
    fingerprint: outcome.fingerprint ?? null,
    output_artifacts: [path],
  };
}

function answerOf(text: string): Json {
  if (text.length > OUTPUT_BYTES) return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text.trim() === "" ? null : text.trim();
  }
}
