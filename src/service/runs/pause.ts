import { Type } from "@sinclair/typebox";
import { findRun } from "../../store/index.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, RunId } from "../shapes.ts";
import { Run, runView } from "./view.ts";

export const pauseRun = defineOperation({
  name: "run.pause",
  scope: "run",
  summary: "Suspend a run: what has begun goes on, nothing new begins. Repeating it changes nothing",
  method: "POST",
  path: "/runs/:run_id/pause",
  input: closed({ run_id: RunId, reason: Type.Optional(Type.String({ maxLength: 1024 })) }),
  output: Run,
  async run(context, { run_id, reason }) {
    await orchestrationOf(context).suspend(context.tenantId, run_id, reason ?? "paused by its user");
    return runView(context.views.read(findRun, { tenantId: context.tenantId, runId: run_id }));
  },
});

export const resumeRun = defineOperation({
  name: "run.resume",
  scope: "run",
  summary: "Let a suspended run go on with what came meanwhile. Repeating it changes nothing",
  method: "POST",
  path: "/runs/:run_id/resume",
  input: closed({ run_id: RunId }),
  output: Run,
  async run(context, { run_id }) {
    await orchestrationOf(context).resume(context.tenantId, run_id);
    return runView(context.views.read(findRun, { tenantId: context.tenantId, runId: run_id }));
  },
});
