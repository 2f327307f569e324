import type { Static } from "@sinclair/typebox";
import { closed } from "../build.ts";
import { EmittedAttributes } from "../events.ts";
import { taskBase } from "./base.ts";

export const EmitTask = closed(
  { emit: closed({ event: closed({ with: EmittedAttributes }) }), ...taskBase },
  { $id: "EmitTask" },
);
export type EmitTask = Static<typeof EmitTask>;
