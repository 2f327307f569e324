import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listOperatorTasks, listRunners as listRunnersQuery } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";

export const listRunners = defineOperation({
  name: "runners.list",
  scope: "admin",
  summary: "Runners: approval, session, what each may do, what it runs",
  method: "GET",
  path: "/runners",
  input: closed({}),
  run(context) {
    const runners = context.views
      .read(listRunnersQuery, { tenantId: context.tenantId })
      .map(({ session, ...runner }) => ({
        ...runner,
        session: session === null ? null : { ...session, last_seen_at: isoTime(session.last_seen_at) },
      }));
    return { runners };
  },
});

export const listInbox = defineOperation({
  name: "inbox.list",
  scope: "read",
  summary: "What waits for an operator",
  method: "GET",
  path: "/inbox",
  input: closed({ all: Type.Optional(Type.Boolean()) }),
  run(context, input) {
    return {
      tasks: context.views
        .read(listOperatorTasks, { tenantId: context.tenantId, all: input.all === true })
        .map((task) => ({ ...task, created_at: isoTime(task.created_at) })),
    };
  },
});
