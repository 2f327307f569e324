import { type Client, connectOrHost } from "../../host/index.ts";
import { isFinished } from "../../service/index.ts";
import { EXIT } from "../exit.ts";
import type { Io } from "../io.ts";
import { exitOf } from "../serve-role.ts";

/**
 * Start the jobs of a batch, so many at once, until all have ended. Whatever was started before, by this process or by one
 * that was killed, is found by its run and not started again.
 */
export async function driveBatch(io: Io, batchId: string): Promise<number> {
  const { runner } = io.settings();
  const stop = io.stop();
  const client = await connectOrHost({ paths: io.paths, log: io.log(), root: io.root(), runner });
  let finished = false;
  const progress = new Progress(io, batchId);
  try {
    const batch = await client.call("showBatch", { batch_id: batchId });
    const lines = openLines(client, batchId);
    progress.total = batch.jobs;
    const work = async () => {
      for (let job = await lines.next(); job !== null && !stop.aborted; job = await lines.next()) {
        const { run_id, refused } = await client.call("startBatchJob", { batch_id: batchId, line: job });
        if (refused !== null) io.stderr.line(`line ${job}: ${refused}`);
        else await untilEnded(client, run_id, stop);
        if (!stop.aborted) progress.done();
      }
    };
    await Promise.race([
      Promise.all(Array.from({ length: Math.min(batch.concurrency, batch.jobs) }, work)),
      client.failed,
    ]);
    if (stop.aborted) {
      io.stderr.line(`stopped; go on with: lightflow batch resume ${batchId}`);
      return exitOf(stop);
    }
    finished = true;
    const end = await client.call("showBatch", { batch_id: batchId });
    progress.clear();
    io.print(
      end,
      () => `${end.batch_id}: ${end.succeeded} succeeded, ${end.failed} failed, ${end.refused} refused\n`,
    );
    return end.succeeded === end.jobs ? EXIT.ok : EXIT.failed;
  } finally {
    await client.close({ abandon: !finished });
  }
}

/** The lines of a batch one after the other, read a page at a time and shared by all workers. */
function openLines(client: Client, batchId: string): { next(): Promise<number | null> } {
  let page: number[] = [];
  let after = 0;
  let reading: Promise<void> | null = null;
  const read = async () => {
    const { jobs } = await client.call("batchJobs", { batch_id: batchId, after, limit: 1000 });
    page = jobs.map(({ line }) => line);
    after = page.at(-1) ?? after;
  };
  return {
    async next() {
      while (page.length === 0) {
        reading ??= read().finally(() => {
          reading = null;
        });
        const before = after;
        await reading;
        if (page.length === 0 && after === before) return null;
      }
      return page.shift()!;
    },
  };
}

async function untilEnded(client: Client, runId: string, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const view = await client
      .call("waitRun", { run_id: runId, wait_ms: 20_000 }, stop)
      .catch((error: unknown) => {
        if (stop.aborted) return null;
        throw error;
      });
    if (view === null || isFinished(view.status)) return;
  }
}

const WIDTH = 30;

/** A bar on stderr where that is a terminal; elsewhere nothing. */
class Progress {
  total = 0;
  #done = 0;
  readonly #io: Io;
  readonly #name: string;

  constructor(io: Io, name: string) {
    this.#io = io;
    this.#name = name;
  }

  done(): void {
    this.#done++;
    if (!this.#io.stderr.isTerminal || this.#io.env["TERM"] === "dumb") return;
    const full = Math.round((WIDTH * this.#done) / Math.max(1, this.total));
    const bar = "█".repeat(full) + "░".repeat(WIDTH - full);
    this.#io.stderr.status(`${this.#name} ${bar} ${this.#done}/${this.total}`);
  }

  clear(): void {
    this.#io.stderr.status("");
  }
}
