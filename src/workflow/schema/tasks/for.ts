import { type Static, Type } from "@sinclair/typebox";
import { anyValue, closed, TaskListReference } from "../build.ts";
import { Condition } from "../common.ts";
import { taskBase } from "./base.ts";

export const ForTask = closed(
  {
    for: closed({
      each: Type.Optional(Type.String()),
      /** An expression, or (renamed specification) the list itself. */
      in: Type.Union([Condition, Type.Array(anyValue())]),
      at: Type.Optional(Type.String()),
    }),
    while: Type.Optional(Condition),
    do: TaskListReference,
    ...taskBase,
  },
  { $id: "ForTask" },
);
/** `each` defaults to "item", `at` to "index". */
export type ForTask = Static<typeof ForTask>;
