import { type Static, Type } from "@sinclair/typebox";
import { closed, mapOf, wordOf } from "../build.ts";
import { Condition } from "../common.ts";
import type { Task } from "../task.ts";
import { taskBase } from "./base.ts";

/**
 * Written out beside its schema, because a type that is inferred from the schema would have to resolve the task
 * types that it is itself part of.
 */
export interface GraphStep {
  /** Steps that must have ended before; none starts at once. */
  needs?: string[];
  /** Evaluated when the needs have ended; false skips the step and its output is null. */
  if?: string;
  /** Units of the graph's resources that it holds while it runs. */
  resources?: Record<string, number>;
  /** Higher starts first where not all can; default 0. */
  priority?: number;
  task: Task;
}
const GraphStep = closed({
  needs: Type.Optional(Type.Array(Type.String(), { uniqueItems: true })),
  if: Type.Optional(Condition),
  resources: Type.Optional(mapOf(Type.Integer({ minimum: 1 }))),
  priority: Type.Optional(Type.Integer()),
  task: Type.Ref("Task"),
});

/**
 * Dialect: named steps that run as soon as what they need has ended. A step's raw input is an object of each needed
 * step's output under its name, or the graph's input for a step without needs. The output is an object of every
 * step's output under its name.
 */
export const GraphTask = closed(
  {
    graph: closed({
      steps: Type.Unsafe<Record<string, GraphStep>>(mapOf(GraphStep, { minProperties: 1 })),
      /** Default `fail-fast`: cancel the others. `continue`: run all that does not need the failed one, then fault. */
      failure: Type.Optional(wordOf("fail-fast", "continue")),
      /** How many steps run at once; no limit without it. */
      concurrency: Type.Optional(Type.Integer({ minimum: 1 })),
      /** How many units of each resource there are; of one that is not named here there is no end. */
      resources: Type.Optional(mapOf(Type.Integer({ minimum: 1 }))),
    }),
    ...taskBase,
  },
  { $id: "GraphTask" },
);
export type GraphTask = Static<typeof GraphTask>;
