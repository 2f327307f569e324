import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listOperatorTasks } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Task } from "./shapes.ts";

export const listInbox = defineOperation({
  name: "inbox.list",
  scope: "read",
  summary: "What waits for an operator",
  method: "GET",
  path: "/inbox",
  input: closed({ all: Type.Optional(Type.Boolean()) }),
  output: closed({ tasks: Type.Array(Task) }),
  run(context, input) {
    return {
      tasks: context.views
        .read(listOperatorTasks, { tenantId: context.tenantId, all: input.all === true })
        .map((task) => ({ ...task, created_at: isoTime(task.created_at) })),
    };
  },
});
