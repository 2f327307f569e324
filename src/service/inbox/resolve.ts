import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { readOperatorTask, resolveOperatorTask } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";
import { TaskId } from "./show.ts";

/** What a workflow waits for is decided where the workflow hears of it. */
const ELSEWHERE: Record<string, string> = {
  ask: "answer it: lightflow ask answer TASK ANSWER",
  outcome_unknown: "decide it: lightflow attempts resolve TASK --as succeeded|failed|retry",
};

export const resolveInbox = defineOperation({
  name: "inbox.resolve",
  scope: "admin",
  summary: "Close an operator task that was dealt with",
  method: "POST",
  path: "/admin/inbox/:task_id/resolve",
  input: closed({ task_id: TaskId, note: Type.String({ minLength: 1, maxLength: 1024 }) }),
  output: closed({ task_id: Text, resolution: Text }),
  async run(context, input) {
    const { tenantId, subject } = context.principal;
    const task = context.views.read(readOperatorTask, { tenantId, taskId: input.task_id });
    const hint = ELSEWHERE[task.kind];
    if (hint !== undefined) throw fail("conflict", `a run waits for what becomes of ${task.id}`, { hint });
    await context.records.write(resolveOperatorTask, {
      tenantId,
      taskId: task.id,
      resolution: input.note,
      actor: subject,
      now: context.clock.wall(),
    });
    return { task_id: task.id, resolution: input.note };
  },
});
