import { type Static, Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { type Requirement as StoredRequirement, viewQueue as viewQueueQuery } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, Limit, named, nullable, oneOf, Text, Time } from "../shapes.ts";
import { Requirement } from "./shapes.ts";

const QueuedTask = named(
  "QueuedTask",
  closed({
    request_id: Text,
    run_id: Text,
    step_id: Text,
    reference: Text,
    state: oneOf("pending", "parked"),
    priority: Integer,
    attempts: Integer,
    concurrency_key: nullable(Text),
    requirement: Requirement,
    diagnostic: nullable(Text),
    retry_at: nullable(Time),
    expires_at: Time,
    created_at: Time,
    waited_ms: Integer,
  }),
);

export const viewQueue = defineOperation({
  name: "queue.view",
  scope: "admin",
  summary: "Tasks that wait for a runner, in the order in which they are due, and how many wait for what",
  method: "GET",
  path: "/admin/queue",
  input: closed({ limit: Limit }),
  output: closed({
    partitions: Type.Array(closed({ requirement: Requirement, waiting: Integer })),
    tasks: Type.Array(QueuedTask),
  }),
  run(context, input) {
    const now = context.clock.wall();
    const view = context.views.read(viewQueueQuery, {
      tenantId: context.principal.tenantId,
      limit: input.limit ?? 100,
    });
    const parse = (body: string) => JSON.parse(body) as StoredRequirement;
    return {
      partitions: view.partitions.map((each) => ({ ...each, requirement: parse(each.requirement) })),
      tasks: view.tasks.map(({ requirement, state, not_before, expires_at, created_at, ...task }) => ({
        ...task,
        state: state as Static<typeof QueuedTask>["state"],
        requirement: parse(requirement),
        retry_at: not_before > now ? isoTime(not_before) : null,
        expires_at: isoTime(expires_at),
        created_at: isoTime(created_at),
        waited_ms: Math.max(0, now - created_at),
      })),
    };
  },
});
