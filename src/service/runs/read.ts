import { Type } from "@sinclair/typebox";
import { findRun, listRuns as listRunsQuery, planOf, readDefinition } from "../../store/index.ts";
import { waitFor } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, Limit, nullable, oneOf, RunId, WaitMs } from "../shapes.ts";
import { phasesOf, Run, runView } from "./view.ts";

export const listRuns = defineOperation({
  name: "run.list",
  stored: true,
  scope: "read",
  summary: "Runs, newest first",
  method: "GET",
  path: "/runs",
  input: closed({
    limit: Limit,
    status: Type.Optional(oneOf("planned", "running", "succeeded", "failed", "cancelled")),
    workflow: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    /** Older than this run: `next` of the page before. */
    before: Type.Optional(RunId),
  }),
  output: closed({ runs: Type.Array(Run), next: nullable(RunId) }),
  run(context, input) {
    const limit = input.limit ?? 50;
    const rows = context.views.read(listRunsQuery, {
      tenantId: context.tenantId,
      statuses: input.status === undefined ? null : phasesOf(input.status),
      workflow: input.workflow ?? null,
      before: input.before ?? null,
      limit,
    });
    return {
      runs: rows.map((row) => runView(row, context.views.read(planOf, row))),
      next: rows.length < limit ? null : rows.at(-1)!.run_id,
    };
  },
});

export const getRun = defineOperation({
  name: "run.get",
  stored: true,
  scope: "read",
  summary: "One run: status, inputs, output, error",
  method: "GET",
  path: "/runs/:run_id",
  input: closed({ run_id: RunId }),
  output: Run,
  run(context, input) {
    const row = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
    return runView(row, context.views.read(planOf, row));
  },
});

export const waitRun = defineOperation({
  name: "run.wait",
  scope: "read",
  summary: "Wait until a run has ended, or for the given time",
  method: "GET",
  path: "/runs/:run_id/wait",
  input: closed({ run_id: RunId, wait_ms: WaitMs }),
  output: Run,
  async run(context, input, signal) {
    const run = { tenantId: context.tenantId, runId: input.run_id };
    const end = context.clock.monotonic() + (input.wait_ms ?? 0);
    let row = context.views.read(findRun, run);
    while (row.finished_at === null && !signal.aborted) {
      const left = end - context.clock.monotonic();
      if (left <= 0) break;
      await waitFor(context.views, ["ended"], row.id, left, signal);
      row = context.views.read(findRun, run);
    }
    return runView(row);
  },
});

export const getRunWorkflow = defineOperation({
  name: "run.workflow",
  scope: "read",
  summary: "The workflow document that a run executes; for one taken step by step the definition",
  method: "GET",
  path: "/runs/:run_id/workflow",
  input: closed({ run_id: RunId }),
  output: AnyObject,
  run(context, input) {
    const row = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
    const plan = context.views.read(planOf, row);
    return plan === null ? context.views.read(readDefinition, row.definition_digest) : plan.definition;
  },
});

export const RunQuery = closed({
  run_id: RunId,
  wait_ms: WaitMs,
  limit: Limit,
  after: Type.Optional(Type.Integer({ minimum: 0 })),
});
