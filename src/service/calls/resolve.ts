import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";

export const resolveCall = defineOperation({
  name: "run.resolve",
  scope: "admin",
  summary: "Say what became of a call whose outcome is not known: its result, its failure, or make it again",
  method: "POST",
  path: "/admin/calls/:id/resolve",
  input: closed({
    id: Type.String({ minLength: 1, maxLength: 256 }),
    as: Type.Union([Type.Literal("succeeded"), Type.Literal("failed"), Type.Literal("retry")]),
    /** What the task gives, for `succeeded`; null where nothing is said. */
    output: Type.Optional(Type.Unknown()),
    /** For `failed`. */
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
  }),
  output: closed({ id: Type.String(), run_id: Type.String(), step_id: Type.String(), as: Type.String() }),
  async run(context, { id, as, output, reason }) {
    if (output !== undefined && as !== "succeeded")
      throw fail("invalid_request", "/output: only a call that succeeded has one");
    if (reason !== undefined && as !== "failed")
      throw fail("invalid_request", "/reason: only for a call that failed");
    const resolution =
      as === "succeeded"
        ? { as, output: (output ?? null) as Json }
        : as === "failed"
          ? { as, reason: reason ?? "an operator found that the call failed" }
          : { as };
    const { runId, stepId } = await orchestrationOf(context).resolveCall(
      context.tenantId,
      id,
      resolution,
      context.principal.subject,
    );
    return { id, run_id: runId, step_id: stepId, as };
  },
});
