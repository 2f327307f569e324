import { Type } from "@sinclair/typebox";
import { cancelPlan, findRun, planOf } from "../../store/index.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { exportPlan } from "../plans/export.ts";
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
    const row = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
    if (context.views.read(planOf, row) !== null) {
      const plan = await context.records.write(cancelPlan, {
        tenantId: context.tenantId,
        runId: input.run_id,
        now: context.clock.wall(),
      });
      exportPlan(context, plan);
      return runView(plan.instance, plan);
    }
    await orchestrationOf(context).cancel(
      context.tenantId,
      input.run_id,
      input.reason ?? "cancelled by its user",
    );
    return runView(context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id }));
  },
});
