import { Type } from "@sinclair/typebox";
import { findRun } from "../../store/index.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, RunId } from "../shapes.ts";
import { Run, runView } from "./view.ts";

export const cancelRun = defineOperation({
  name: "run.cancel",
  scope: "run",
  summary: "Cancel a run; what runs is told to stop. Repeating it changes nothing",
  method: "POST",
  path: "/runs/:run_id/cancel",
  input: closed({ run_id: RunId, reason: Type.Optional(Type.String({ maxLength: 1024 })) }),
  output: Run,
  async run(context, input) {
    await orchestrationOf(context).cancel(
      context.tenantId,
      input.run_id,
      input.reason ?? "cancelled by its user",
    );
    return runView(context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id }));
  },
});
