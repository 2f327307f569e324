import { pause } from "../../base/pause.ts";
import { connectToRead } from "../../host/index.ts";
import type { Paint } from "../paint.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { detailText } from "../value-text.ts";
import { CHAIN_FLAG } from "./flags.ts";

const AGAIN_MS = 1000;
/** Columns of an entry's body where the terminal has no room for it. */
const LEAST_DETAIL = 40;

export const spec = {
  description:
    "Decisions of the control plane, oldest first: who, what, about what, and why. Each is chained to the one before. On a terminal an entry is one line; `audit show SEQ` tells the whole of it.",
  flags: {
    lines: { type: "integer", value: "N", minimum: 1, maximum: 1000, default: 50, about: "how many" },
    after: {
      type: "integer",
      value: "SEQ",
      minimum: 0,
      about: "from this number on instead of the last ones",
    },
    actor: { type: "string", value: "ACTOR", about: "only of this actor, such as runner:builder-1" },
    action: { type: "string", value: "ACTION", about: "only this action, or all of a kind: lease" },
    object: { type: "string", value: "OBJECT", about: "only about this, such as runner:builder-1" },
    follow: { type: "boolean", about: "go on as more come, until Ctrl-C; JSON is one entry a line" },
    ...CHAIN_FLAG,
  },
  examples: [
    { command: "lightflow audit tail --action message.refused", does: "what was refused last" },
    { command: "lightflow audit tail --follow", does: "live" },
  ],
} as const satisfies CommandSpec;

interface Entry {
  seq: number;
  ts: string;
  actor: string;
  action: string;
  object: string;
  body: Record<string, unknown>;
}

/** Entries a line each, their bodies as far as the terminal goes: `audit show SEQ` tells the whole. */
function text(entries: readonly Entry[], columns: number, paint: Paint): string {
  const heads = entries.map(({ seq, ts, actor, action, object }) => [String(seq), ts, actor, action, object]);
  const width = (column: number) => Math.max(0, ...heads.map((row) => row[column]!.length));
  const room = columns - [0, 1, 2, 3, 4].reduce((sum, column) => sum + width(column) + 2, 0);
  return tableText(
    entries.map(({ body }, at) => {
      const [seq, ...rest] = heads[at]!;
      return [paint.dim(seq!), ...rest, paint.dim(detailText(body, Math.max(LEAST_DETAIL, room)))];
    }),
  );
}

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  const ask = (after: number | undefined) =>
    client.call("tailAudit", {
      after,
      limit: flags.lines,
      actor: flags.actor,
      action: flags.action,
      object: flags.object,
      tenant: flags.tenant,
    });
  try {
    if (!flags.follow) {
      const answer = await ask(flags.after);
      io.print(answer, (paint) => text(answer.entries, io.stdout.columns, paint));
      return 0;
    }
    const stop = await io.following();
    let after = flags.after;
    while (!stop.aborted) {
      const { entries } = await ask(after);
      if (io.json) for (const entry of entries) io.stdout.line(JSON.stringify(entry));
      else io.stdout.write(text(entries, io.stdout.columns, io.paint));
      after = entries.at(-1)?.seq ?? after ?? 0;
      if (entries.length < flags.lines) await pause(AGAIN_MS, stop);
    }
    return exitOf(stop);
  } finally {
    await client.close();
  }
};
