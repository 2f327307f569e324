import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { readOperatorTask, resolveOperatorTask } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";
import { decidedElsewhere, TaskId } from "./show.ts";

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
    // What something waits for is decided where it hears of it.
    const elsewhere = decidedElsewhere(task);
    if (elsewhere !== null)
      throw fail("conflict", `something waits for what becomes of ${task.id}`, {
        hint: `decide it: ${elsewhere}`,
      });
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
