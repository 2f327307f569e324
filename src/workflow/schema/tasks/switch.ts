import { type Static, Type } from "@sinclair/typebox";
import { closed, named } from "../build.ts";
import { Condition, FlowDirective } from "../common.ts";
import { taskBase } from "./base.ts";

export const SwitchCase = closed({ when: Type.Optional(Condition), then: FlowDirective });
export type SwitchCase = Static<typeof SwitchCase>;

export const SwitchTask = closed(
  { switch: Type.Array(named(SwitchCase), { minItems: 1 }), ...taskBase },
  { $id: "SwitchTask" },
);
/** The first case whose `when` holds; a case without `when` is the default. */
export type SwitchTask = Static<typeof SwitchTask>;
