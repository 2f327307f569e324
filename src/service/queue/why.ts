import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { explainTasks, listApprovals } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, named, nullable, Text, Time } from "../shapes.ts";
import { Requirement, TaskName } from "./shapes.ts";

const Explanation = named(
  "TaskExplanation",
  closed({
    request_id: Text,
    run_id: Text,
    step_id: Text,
    reference: Text,
    state: Text,
    attempts: Integer,
    requirement: Requirement,
    reason: Text,
    diagnostic: nullable(Text),
    position: nullable(Integer),
    concurrency: nullable(closed({ key: Text, holders: Type.Array(Text) })),
    retry_at: nullable(Time),
    retry_after_ms: nullable(Integer),
    expires_at: Time,
    sessions: Type.Array(
      closed({
        runner_id: Text,
        session_id: Text,
        check: nullable(Integer),
        code: nullable(Text),
        message: Text,
      }),
    ),
    lease: nullable(closed({ lease_id: Text, runner_id: Text, state: Text, expires_at: Time })),
    operator_task: nullable(Text),
  }),
);

export const explainTask = defineOperation({
  name: "tasks.why",
  scope: "admin",
  summary: "Why a task is not running: its place in the queue, its key, and which check each runner fails",
  method: "GET",
  path: "/admin/tasks/why",
  input: closed({ task: TaskName }),
  output: closed({ tasks: Type.Array(Explanation) }),
  run(context, input) {
    const now = context.clock.wall();
    const found = context.views.read(explainTasks, {
      tenantId: context.principal.tenantId,
      task: input.task,
      now,
    });
    if (found.length === 0) {
      // It comes to the queue when a person has agreed.
      const { tenantId } = context.principal;
      const waiting = context.views
        .read(listApprovals, { tenantId, all: false, limit: 1000 })
        .find(({ run_id, step_id }) => [run_id, `${run_id}/${step_id}`].includes(input.task));
      if (waiting !== undefined) {
        throw fail(
          "not_found",
          `not in the queue: ${waiting.run_id}/${waiting.step_id} waits for an approval`,
          {
            hint: `lightflow approvals show ${waiting.id}`,
            details: { approval: waiting.id },
          },
        );
      }
      throw fail("not_found", `not found: no task of ${input.task} was ever queued for a runner`, {
        hint: "name it as RUN or RUN/STEP; `lightflow run get RUN` shows the steps",
      });
    }
    return {
      tasks: found.map(({ retry_at, expires_at, lease, ...each }) => ({
        ...each,
        retry_at: retry_at === null ? null : isoTime(retry_at),
        retry_after_ms: retry_at === null ? null : retry_at - now,
        expires_at: isoTime(expires_at),
        lease: lease === null ? null : { ...lease, expires_at: isoTime(lease.expires_at) },
      })),
    };
  },
});
