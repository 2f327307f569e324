import { type Static, Type } from "@sinclair/typebox";
import { closed, TaskListReference } from "../build.ts";
import { Condition, FlowDirective } from "../common.ts";
import { ErrorFilter } from "../error.ts";
import { RetryPolicy } from "../retry.ts";
import { taskBase } from "./base.ts";

export const TryTask = closed(
  {
    try: TaskListReference,
    catch: closed({
      errors: Type.Optional(closed({ with: Type.Optional(ErrorFilter) })),
      /** Default "error". */
      as: Type.Optional(Type.String()),
      when: Type.Optional(Condition),
      exceptWhen: Type.Optional(Condition),
      retry: Type.Optional(Type.Union([RetryPolicy, Type.String()])),
      do: Type.Optional(TaskListReference),
      /** Renamed specification only. */
      then: Type.Optional(FlowDirective),
    }),
    ...taskBase,
  },
  { $id: "TryTask" },
);
export type TryTask = Static<typeof TryTask>;
