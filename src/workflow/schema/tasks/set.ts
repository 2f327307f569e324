import { type Static, Type } from "@sinclair/typebox";
import { closed, freeMap } from "../build.ts";
import { taskBase } from "./base.ts";

export const SetTask = closed(
  { set: Type.Union([freeMap({ minProperties: 1 }), Type.String()]), ...taskBase },
  { $id: "SetTask" },
);
export type SetTask = Static<typeof SetTask>;
