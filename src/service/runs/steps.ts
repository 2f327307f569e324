import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { isObject, type JsonObject } from "../../base/json.ts";
import {
  type AttemptRow,
  findRun,
  type InstanceRow,
  listAttempts,
  listEvents,
  type RunEvent,
} from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, Integer, named, nullable, oneOf, RunId, Text, Time } from "../shapes.ts";

const Step = named(
  "RunStep",
  closed({
    step_id: Text,
    reference: Text,
    kind: Text,
    status: oneOf("running", "succeeded", "failed", "cancelled", "skipped", "waiting_for_operator"),
    started_at: Time,
    duration_ms: nullable(Integer),
    attempts: Type.Array(
      closed({
        attempt: Integer,
        runner_id: Text,
        state: Text,
        sandbox: nullable(Text),
        exit_code: nullable(Integer),
        duration_ms: nullable(Integer),
        lease_id: Text,
      }),
    ),
    error: nullable(AnyObject),
    cached: Type.Boolean(),
    origin_run: nullable(Text),
  }),
);

export interface StepAttempt {
  attempt: number;
  runner_id: string;
  state: string;
  sandbox: string | null;
  exit_code: number | null;
  duration_ms: number | null;
  lease_id: string;
}

export interface RunStep {
  step_id: string;
  reference: string;
  kind: string;
  status: "running" | "succeeded" | "failed" | "cancelled" | "skipped" | "waiting_for_operator";
  started_at: string;
  duration_ms: number | null;
  attempts: StepAttempt[];
  error: JsonObject | null;
  /** Whether its output was known and it did not run. */
  cached: boolean;
  /** The run that made a cached output. */
  origin_run: string | null;
}

const ENDS: Record<string, RunStep["status"]> = {
  "step.succeeded": "succeeded",
  "step.failed": "failed",
  "step.cancelled": "cancelled",
  "step.outcome_unknown": "waiting_for_operator",
  "step.asked": "waiting_for_operator",
  "step.approval_requested": "waiting_for_operator",
  "step.approved": "running",
  "step.requeued": "running",
};

/** The steps of a run in the order they started, folded from its events and attempts. */
export const getSteps = defineOperation({
  name: "run.steps",
  stored: true,
  scope: "read",
  summary: "The steps of a run: status, attempts, runner, time, exit code",
  method: "GET",
  path: "/runs/:run_id/steps",
  input: closed({ run_id: RunId }),
  output: closed({ steps: Type.Array(Step) }),
  run(context, input): { steps: RunStep[] } {
    const row = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
    return { steps: stepsOfRun(context, row) };
  },
});

export function stepsOfRun(context: ServiceContext, row: InstanceRow): RunStep[] {
  const steps = new Map<string, RunStep>();
  for (let after = 0; ; ) {
    const events = context.views.read(listEvents, {
      instanceId: row.id,
      runId: row.run_id,
      after,
      limit: 1000,
    });
    if (events.length === 0) break;
    for (const event of events) fold(steps, event);
    after = events.at(-1)!.seq;
  }
  for (const attempt of context.views.read(listAttempts, { instanceId: row.id }))
    steps.get(attempt.reference)?.attempts.push(attemptView(attempt));
  // Nothing goes on in a run that has ended, whatever it was that a step waited for.
  if (row.finished_at !== null) {
    for (const step of steps.values())
      if (step.status === "running" || step.status === "waiting_for_operator") step.status = "cancelled";
  }
  return [...steps.values()];
}

function fold(steps: Map<string, RunStep>, event: RunEvent): void {
  if (event.reference === null || event.step_id === null) return;
  const detail = isObject(event.detail) ? (event.detail as JsonObject) : {};
  if (event.event === "step.started" || event.event === "step.skipped") {
    steps.set(event.reference, {
      step_id: event.step_id,
      reference: event.reference,
      kind: String(detail["kind"] ?? ""),
      status: event.event === "step.skipped" ? "skipped" : "running",
      started_at: isoTime(event.ts),
      duration_ms: null,
      attempts: [],
      error: null,
      cached: false,
      origin_run: null,
    });
    return;
  }
  const step = steps.get(event.reference);
  if (step !== undefined && (event.event === "step.cached" || event.event === "step.reused")) {
    step.cached = true;
    step.origin_run = typeof detail["origin_run"] === "string" ? detail["origin_run"] : null;
  }
  const end = ENDS[event.event];
  if (step === undefined || end === undefined) return;
  step.status = end;
  if (typeof detail["duration_ms"] === "number") step.duration_ms = detail["duration_ms"];
  if (isObject(detail["error"])) step.error = detail["error"] as JsonObject;
}

function attemptView(row: AttemptRow): StepAttempt {
  const exitCode = row.result?.["exitCode"];
  return {
    attempt: row.attempt,
    runner_id: row.runner_id,
    state: row.state,
    sandbox: row.sandbox,
    exit_code: typeof exitCode === "number" ? exitCode : null,
    duration_ms:
      row.started_at === null || row.finished_at === null ? null : row.finished_at - row.started_at,
    lease_id: row.lease_id,
  };
}
