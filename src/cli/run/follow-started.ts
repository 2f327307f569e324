import { type Client, connectOrHost } from "../../host/index.ts";
import { EXIT } from "../exit.ts";
import type { Io } from "../io.ts";
import { finishRun } from "./finish.ts";
import { interrupted } from "./start.ts";
import { watchRun } from "./watch.ts";

/**
 * Start a run and see it to its end where this command hosts it or was asked to watch; else print what the start gave.
 * @param after what to print in the place of the report once the run has ended
 */
export async function followStarted(
  io: Io,
  watch: boolean,
  start: (client: Client) => Promise<{ run_id: string }>,
  after?: (client: Client, runId: string) => Promise<unknown>,
): Promise<number> {
  const { runner } = io.settings();
  const stop = io.stop();
  const client = await connectOrHost({ paths: io.paths, log: io.log(), root: io.root(), runner });
  const ended = new AbortController();
  let finished = false;
  try {
    const started = await start(client);
    const { run_id: runId } = started;
    if (!watch && after === undefined && client.kind === "socket") {
      finished = true;
      io.print(started, () => `${runId}\n\nwatch it: lightflow run watch ${runId}\n`);
      return EXIT.ok;
    }
    io.stderr.line(`run ${runId}`);
    const watching = AbortSignal.any([stop, ended.signal]);
    await Promise.race([watchRun(client, runId, io, watching), client.failed]);
    if (stop.aborted) return interrupted(io, runId, stop, client.kind === "host");
    finished = true;
    if (after === undefined) return await finishRun(client, runId, io, undefined);
    io.print(await after(client, runId));
    return EXIT.ok;
  } finally {
    ended.abort();
    await client.close({ abandon: !finished });
  }
}

export const WATCH = { type: "boolean", about: "show the run as it goes, and exit as it ends" } as const;
export const NEW_ID = {
  type: "string",
  value: "RUN_ID",
  about: "name of the new run; made up when left out",
} as const;
