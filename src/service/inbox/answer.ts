import { Type } from "@sinclair/typebox";
import type { Json } from "../../base/json.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";

export const answerQuestion = defineOperation({
  name: "ask.answer",
  scope: "run",
  summary: "Answer what a workflow asks; the first answer counts",
  method: "POST",
  path: "/inbox/:task_id/answer",
  input: closed({ task_id: Type.String({ minLength: 1, maxLength: 128 }), answer: Type.Unknown() }),
  output: closed({ task_id: Text, run_id: Text }),
  async run(context, input) {
    const runId = await orchestrationOf(context).answer(
      context.tenantId,
      input.task_id,
      input.answer as Json,
      context.principal.subject,
      context.principal.roles,
    );
    return { task_id: input.task_id, run_id: runId };
  },
});
