import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listOperatorTasks, listRunners as listRunnersQuery } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, Integer, named, nullable, oneOf, Text, Time } from "../shapes.ts";

const Runner = named(
  "Runner",
  closed({
    tenant_id: Text,
    runner_id: Text,
    state: Text,
    session: nullable(
      closed({
        id: Text,
        generation: Integer,
        state: Text,
        last_seen_at: Time,
        registration: AnyObject,
        effective: AnyObject,
        active_leases: Integer,
      }),
    ),
  }),
);
const Task = named(
  "OperatorTask",
  closed({
    id: Text,
    kind: Text,
    subject: Text,
    instance_id: nullable(Text),
    body: AnyObject,
    state: oneOf("open", "resolved"),
    resolution: nullable(Text),
    created_at: Time,
  }),
);

export const listRunners = defineOperation({
  name: "runners.list",
  scope: "admin",
  summary: "Runners: approval, session, what each may do, what it runs",
  method: "GET",
  path: "/runners",
  input: closed({}),
  output: closed({ runners: Type.Array(Runner) }),
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
  output: closed({ tasks: Type.Array(Task) }),
  run(context, input) {
    return {
      tasks: context.views
        .read(listOperatorTasks, { tenantId: context.tenantId, all: input.all === true })
        .map((task) => ({ ...task, created_at: isoTime(task.created_at) })),
    };
  },
});
