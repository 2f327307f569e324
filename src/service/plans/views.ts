import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { findRun, listInputs, listTrace } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { stepsOfRun } from "../runs/steps.ts";
import { runView } from "../runs/view.ts";
import { After, closed, Limit, nullable, Text, Time } from "../shapes.ts";
import { manifestOf } from "./manifest.ts";
import { findPlan } from "./read.ts";
import { type CreateRun, CreateRunRequest, checkRunId, RunSegment, RunStatusSummary } from "./shapes.ts";

const instanceOf = (context: ServiceContext, runId: string) =>
  context.views.read(findRun, { tenantId: context.tenantId, runId: checkRunId(runId) });

export const runStatus = defineOperation({
  name: "run.status",
  stored: true,
  scope: "read",
  summary: "How many steps of a run stand where",
  method: "GET",
  path: "/runs/:run_id/status",
  input: closed({ run_id: RunSegment }),
  output: RunStatusSummary,
  run(context, input) {
    const row = instanceOf(context, input.run_id);
    const plan = findPlan(context, row.run_id);
    const statuses: string[] =
      plan === null
        ? stepsOfRun(context, row).map(({ status }) => COUNTED[status] ?? status)
        : manifestOf(plan).steps.map(({ status }) => status);
    const count = (status: string) => statuses.filter((each) => each === status).length;
    return {
      run_id: row.run_id,
      workflow_asset_id: row.workflow,
      status: runView(row).status,
      total_steps: statuses.length,
      planned_steps: count("planned"),
      submitted_steps: count("submitted"),
      cancelled_steps: count("cancelled"),
      succeeded_steps: count("succeeded"),
      failed_steps: count("failed"),
    };
  },
});

/** The states of a step that goes on by itself, in the words of one that is submitted by hand. */
const COUNTED: Record<string, string> = {
  running: "submitted",
  waiting_for_operator: "submitted",
  skipped: "cancelled",
};

export const runRequest = defineOperation({
  name: "run.request",
  scope: "read",
  summary: "The request that made a run, as it was received",
  method: "GET",
  path: "/runs/:run_id/request",
  input: closed({ run_id: RunSegment }),
  output: CreateRunRequest,
  run(context, input): CreateRun {
    const row = instanceOf(context, input.run_id);
    const plan = findPlan(context, row.run_id);
    if (plan !== null) return plan.request as unknown as CreateRun;
    return { run_id: row.run_id, workflow_asset_id: row.workflow, inputs: runView(row).inputs };
  },
});

export interface TraceLine {
  seq: number;
  ts: string;
  event: string;
  run_id: string;
  step_id: string | null;
  path: string | null;
}

export const runTrace = defineOperation({
  name: "run.trace",
  scope: "read",
  summary: "What a run read and wrote outside itself, in order, after a position",
  method: "GET",
  path: "/runs/:run_id/trace",
  lines: "lines",
  input: closed({ run_id: RunSegment, after: After, limit: Limit }),
  output: closed({
    lines: Type.Array(
      closed({
        seq: Type.Integer(),
        ts: Time,
        event: Text,
        run_id: Text,
        step_id: nullable(Text),
        path: nullable(Text),
      }),
    ),
  }),
  run(context, input): { lines: TraceLine[] } {
    const row = instanceOf(context, input.run_id);
    const { run_id } = row;
    const after = input.after ?? 0;
    const limit = input.limit ?? 1000;
    if (findPlan(context, run_id) !== null) {
      const rows = context.views.read(listTrace, { instanceId: row.id, after, limit });
      return { lines: rows.map((line) => ({ ...line, run_id, ts: isoTime(line.ts) })) };
    }
    // The engine's own trace is what it was told, by which it can be played again.
    const rows = context.views.read(listInputs, { instanceId: row.id, after, limit });
    return {
      lines: rows.map(({ seq, recorded_at, body }) => ({
        seq,
        ts: isoTime(recorded_at),
        event: `engine.${memberOf(body, "kind") ?? "input"}`,
        run_id,
        step_id: null,
        path: memberOf(body, "effect"),
      })),
    };
  },
});

function memberOf(body: Json, name: string): string | null {
  const value = isObject(body) ? (body as JsonObject)[name] : undefined;
  return typeof value === "string" ? value : null;
}
