import { pause } from "../base/pause.ts";
import { connectToRead } from "../host/index.ts";
import type { Io } from "./io.ts";
import type { Paint } from "./paint.ts";
import { exitOf } from "./serve-role.ts";
import { terminalText } from "./terminal-text.ts";

type Client = Awaited<ReturnType<typeof connectToRead>>;

const EVERY_MS = 1000;

/**
 * Show an answer again each second until the command is stopped: a terminal gets the table in place, a pipe one line of
 * JSON whenever something has changed.
 */
async function showLive<Answer>(
  io: Io,
  ask: () => Promise<Answer>,
  readable: (answer: Answer, paint: Paint) => string,
): Promise<void> {
  const stop = await io.following();
  let last = "";
  while (!stop.aborted) {
    const answer = await ask();
    if (io.json) {
      const line = JSON.stringify(answer);
      if (line !== last) io.stdout.line(line);
      last = line;
    } else {
      // Home, the table with each old line cut off, and nothing below it: no flicker.
      const text = terminalText(readable(answer, io.paint)).replaceAll("\n", "\x1b[K\n");
      io.stdout.control(`${last === "" ? "\x1b[2J" : ""}\x1b[H${text}\x1b[J`);
      last = text;
    }
    await pause(EVERY_MS, stop);
  }
}

interface Lived<Answer> {
  readonly watch: boolean;
  ask(client: Client): Promise<Answer>;
  readable(answer: Answer, paint: Paint): string;
}

/** What such a command does: show the answer of the host, or of the store where no host runs, once or live. */
export async function showOnceOrLive<Answer>(
  io: Io,
  { watch, ask, readable }: Lived<Answer>,
): Promise<number> {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    if (watch) {
      await showLive(io, () => ask(client), readable);
      return exitOf(io.stop());
    }
    const answer = await ask(client);
    io.print(answer, (paint) => readable(answer, paint));
    return 0;
  } finally {
    await client.close();
  }
}
