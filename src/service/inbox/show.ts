import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { readOperatorTask } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, nullable, oneOf, Text, Time } from "../shapes.ts";

export const TaskId = Type.String({ pattern: "^[0-9a-f-]{36}$" });

export const showInbox = defineOperation({
  name: "inbox.show",
  scope: "admin",
  summary: "One operator task with all that is known, and how it can be resolved",
  method: "GET",
  path: "/admin/inbox/:task_id",
  input: closed({ task_id: TaskId }),
  output: closed({
    id: Text,
    kind: Text,
    subject: Text,
    instance_id: nullable(Text),
    body: AnyObject,
    state: oneOf("open", "resolved"),
    resolution: nullable(Text),
    created_at: Time,
    next: Text,
  }),
  run(context, input) {
    const task = context.views.read(readOperatorTask, {
      tenantId: context.principal.tenantId,
      taskId: input.task_id,
    });
    return { ...task, created_at: isoTime(task.created_at), next: nextStep(task) };
  },
});

function nextStep({ id, kind, state }: { id: string; kind: string; state: string }): string {
  if (state === "resolved") return "nothing: it is resolved";
  if (kind === "ask") return `lightflow ask answer ${id} ANSWER`;
  if (kind === "outcome_unknown") return `lightflow attempts resolve ${id} --as succeeded|failed|retry`;
  return `lightflow inbox resolve ${id} --note TEXT`;
}
