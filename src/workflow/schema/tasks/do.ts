import type { Static } from "@sinclair/typebox";
import { closed, TaskListReference } from "../build.ts";
import { taskBase } from "./base.ts";

export const DoTask = closed({ do: TaskListReference, ...taskBase }, { $id: "DoTask" });
export type DoTask = Static<typeof DoTask>;
