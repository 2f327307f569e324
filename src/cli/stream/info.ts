import { streamInfo } from "../../gateway/streams.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  examples: [{ command: "lightflow stream info", does: "the transports, the frame and where its schema is" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  io.print(streamInfo());
  return 0;
};
