import { connectToRead } from "../../host/index.ts";
import type { OutputOf } from "../../service/index.ts";
import type { Paint } from "../paint.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { detailText } from "../value-text.ts";
import { RUN_ID } from "./run-id.ts";
import { followEvents } from "./watch.ts";

export const spec = {
  description:
    "In order of `seq`: one JSON object a line (JSONL), and on a terminal one line of text, without `--json`.",
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
  const stop = flags.follow ? await io.following() : io.stop();
  const client = await connectToRead(io.paths, io.log(), io.root());
  const line = io.json
    ? (event: RunEvent) => JSON.stringify(event)
    : (event: RunEvent) => eventText(event, io.stdout.columns, io.paint);
  const print = (event: RunEvent) => io.stdout.line(line(event));
  try {
    if (flags.follow) {
      await followEvents(client, positionals.run, stop, print, flags.after).catch((error: unknown) => {
        if (!stop.aborted) throw error;
      });
      return exitOf(stop);
    }
    for (let after: number = flags.after; !stop.aborted; ) {
      const { events } = await client.call("getEvents", { run_id: positionals.run, after });
      if (events.length === 0) return 0;
      // A page in one write: a line at a time is a million system calls for a long history.
      io.stdout.write(events.map((event) => `${line(event)}\n`).join(""));
      after = events.at(-1)!.seq;
    }
    return exitOf(stop);
  } finally {
    await client.close();
  }
};

type RunEvent = OutputOf<"getEvents">["events"][number];

const SEQ_WIDTH = 5;
const EVENT_WIDTH = 22;
const STEP_WIDTH = 12;

/** Columns of a fixed width, since more may come at any time. */
function eventText({ seq, ts, event, step_id, detail }: RunEvent, columns: number, paint: Paint): string {
  const head = `${String(seq).padStart(SEQ_WIDTH)}  ${ts}  ${event.padEnd(EVENT_WIDTH)}  ${(step_id ?? "").padEnd(STEP_WIDTH)}`;
  const rest = detailText(detail as object | null, Math.max(STEP_WIDTH, columns - head.length - 2));
  return `${head}  ${paint.dim(rest)}`.trimEnd();
}
