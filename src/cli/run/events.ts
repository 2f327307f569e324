import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { RUN_ID } from "./run-id.ts";
import { followEvents } from "./watch.ts";

export const spec = {
  description: "One JSON object a line (JSONL), in order of `seq`.",
  positionals: [RUN_ID],
  flags: {
    follow: { type: "boolean", about: "wait for more until the run has ended" },
    after: {
      type: "integer",
      value: "SEQ",
      minimum: 0,
      default: 0,
      about: "only what came after this position",
    },
  },
  examples: [
    { command: "lightflow run events release-1 | jq .event", does: "what happened, for a shell pipeline" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const stop = io.stop();
  const client = await connectToRead(io.paths, io.log(), io.root());
  const print = (event: unknown) => io.stdout.line(JSON.stringify(event));
  try {
    if (flags.follow) {
      await followEvents(client, positionals.run, stop, print, flags.after).catch((error: unknown) => {
        if (!stop.aborted) throw error;
      });
      return 0;
    }
    for (let after: number = flags.after; !stop.aborted; ) {
      const { events } = await client.call("getEvents", { run_id: positionals.run, after });
      if (events.length === 0) return 0;
      // A page in one write: a line at a time is a million system calls for a long history.
      io.stdout.write(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
      after = events.at(-1)!.seq;
    }
    return 0;
  } finally {
    await client.close();
  }
};
