import { type Static, Type } from "@sinclair/typebox";
import { closed, TaskListReference } from "../build.ts";
import { taskBase } from "./base.ts";

export const ForkTask = closed(
  {
    fork: closed({ branches: TaskListReference, compete: Type.Optional(Type.Boolean()) }),
    ...taskBase,
  },
  { $id: "ForkTask" },
);
export type ForkTask = Static<typeof ForkTask>;
