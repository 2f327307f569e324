import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, oneOf, Text } from "../shapes.ts";

const AttemptName = Type.String({
  pattern: "^[0-9a-f-]{36}$",
  description: "the id of an operator task, as `lightflow inbox list` shows it",
});
const Resolution = oneOf("succeeded", "failed", "retry");

export const resolveAttempt = defineOperation({
  name: "attempts.resolve",
  scope: "admin",
  summary: "Say what became of an attempt whose outcome nobody knows, or have it tried again",
  method: "POST",
  path: "/admin/attempts/:attempt_id/resolve",
  input: closed({
    /** The lease, the queued task, or the operator task. */
    attempt_id: AttemptName,
    as: Resolution,
    /** What the step gives out, for `succeeded`. */
    output: Type.Optional(Type.Unknown()),
    note: Type.Optional(Type.String({ maxLength: 1024 })),
  }),
  output: closed({
    lease_id: Text,
    instance_id: Text,
    step_id: Text,
    attempt: Integer,
    resolved_as: Resolution,
  }),
  async run(context, input) {
    if (input.output !== undefined && input.as !== "succeeded") {
      throw fail("invalid_request", "/output: only an attempt that succeeded has one");
    }
    const resolved = await orchestrationOf(context).resolveAttempt({
      tenantId: context.principal.tenantId,
      attempt: input.attempt_id,
      as: input.as,
      output: (input.output ?? null) as Json,
      note: input.note ?? "",
      actor: context.principal.subject,
    });
    return {
      lease_id: resolved.leaseId,
      instance_id: resolved.instanceId,
      step_id: resolved.stepId,
      attempt: resolved.attempt,
      resolved_as: input.as,
    };
  },
});
