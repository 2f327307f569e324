import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listUnknownCalls } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, RunId } from "../shapes.ts";

export const listCalls = defineOperation({
  name: "run.calls",
  scope: "admin",
  summary: "Calls of the orchestrator whose outcome is not known, until an operator says it",
  method: "GET",
  path: "/admin/calls",
  input: closed({ run_id: Type.Optional(RunId) }),
  output: closed({
    calls: Type.Array(
      closed({
        id: Type.String(),
        run_id: Type.String(),
        step_id: Type.String(),
        reference: Type.String(),
        attempts: Type.Integer(),
        created_at: Type.String(),
      }),
    ),
  }),
  run(context, input) {
    const rows = context.views.read(listUnknownCalls, {
      tenantId: context.tenantId,
      runId: input.run_id ?? null,
    });
    return { calls: rows.map((row) => ({ ...row, created_at: isoTime(row.created_at) })) };
  },
});
