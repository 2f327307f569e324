import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { EVENT_SEQ, eventSeq } from "./event-seq.ts";

export const spec = {
  positionals: [EVENT_SEQ],
  examples: [{ command: "lightflow event show 7", does: "the event with its content and what became of it" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const event = await client.call("showEvent", { seq: eventSeq(positionals.event) });
    io.print(event);
    return 0;
  } finally {
    await client.close();
  }
};
