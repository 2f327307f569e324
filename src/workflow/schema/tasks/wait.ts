import type { Static } from "@sinclair/typebox";
import { closed } from "../build.ts";
import { Duration } from "../common.ts";
import { taskBase } from "./base.ts";

export const WaitTask = closed({ wait: Duration, ...taskBase }, { $id: "WaitTask" });
export type WaitTask = Static<typeof WaitTask>;
