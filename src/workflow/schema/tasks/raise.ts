import { type Static, Type } from "@sinclair/typebox";
import { closed } from "../build.ts";
import { ErrorDefinition } from "../error.ts";
import { taskBase } from "./base.ts";

export const RaiseTask = closed(
  { raise: closed({ error: Type.Union([ErrorDefinition, Type.String()]) }), ...taskBase },
  { $id: "RaiseTask" },
);
export type RaiseTask = Static<typeof RaiseTask>;
