import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { type OperatorTask, readOperatorTask } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";
import { TASK } from "./shapes.ts";

export const TaskId = Type.String({
  pattern: "^[0-9a-f-]{36}$",
  description: "the id of an operator task, as `lightflow inbox list` shows it",
});

export const showInbox = defineOperation({
  name: "inbox.show",
  scope: "admin",
  summary: "One operator task with all that is known, and how it can be resolved",
  method: "GET",
  path: "/admin/inbox/:task_id",
  input: closed({ task_id: TaskId }),
  output: closed({
    ...TASK,
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

function nextStep(task: OperatorTask): string {
  if (task.state === "resolved") return "nothing: it is resolved";
  const runner = RUNNER_STEPS[task.kind];
  if (runner !== undefined)
    return `lightflow runners show ${task.subject}, then lightflow runners ${runner} ${task.subject}`;
  return decidedElsewhere(task) ?? `lightflow inbox resolve ${task.id} --note TEXT`;
}

/** What ends a task about a runner, after a look at it. */
const RUNNER_STEPS: Readonly<Record<string, string>> = {
  runner_new: "approve",
  runner_drift: "approve",
  runner_identity: "approve",
  runner_quarantined: "release",
};

/** The command that decides a task which something waits for; null for one that is only closed. */
export function decidedElsewhere({ id, kind, subject, body }: OperatorTask): string | null {
  switch (kind) {
    case "ask":
      return `lightflow ask answer ${id} ANSWER`;
    case "approval":
      return `lightflow approvals approve|reject ${body["approval"]}`;
    case "outcome_unknown":
      return subject.startsWith("call:")
        ? `lightflow run resolve ${body["run_id"]} ${body["step_id"]} --as succeeded|failed|retry`
        : `lightflow attempts resolve ${id} --as succeeded|failed|retry`;
    case "poisoned_event":
      return `lightflow event repair ${body["event"]} --retry|--data JSON|--drop`;
    default:
      return null;
  }
}
