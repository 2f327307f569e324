import { type Static, Type } from "@sinclair/typebox";
import { anyValue, closed, TaskListReference } from "../build.ts";
import { Condition } from "../common.ts";
import { taskBase } from "./base.ts";

/**
 * Dialect: the list once for each item, several at a time. Each iteration's input is the task's own, with the item and
 * its index as variables; the output is an array of their outputs in the order of the items.
 */
export const MapTask = closed(
  {
    map: closed({
      /** Name of the variable; default "item". */
      each: Type.Optional(Type.String()),
      /** An expression, or the list itself. */
      in: Type.Union([Condition, Type.Array(anyValue())]),
      /** Name of the variable; default "index". */
      at: Type.Optional(Type.String()),
      /** How many iterations run at once; no limit without it. */
      concurrency: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
    do: TaskListReference,
    ...taskBase,
  },
  { $id: "MapTask" },
);
export type MapTask = Static<typeof MapTask>;
