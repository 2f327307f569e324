import { FRAME_SCHEMA } from "../../stream/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description: "The FlatBuffers schema of the frames, as text.",
  examples: [{ command: "lightflow stream schema > lightflow.fbs", does: "for flatc" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  io.stdout.write(FRAME_SCHEMA);
  return 0;
};
