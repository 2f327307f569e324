import type { Database, Statement } from "bun:sqlite";

/** 64 MiB of log: most pages are written many times before they are copied once, so it is not done more often. */
const FRAMES = 16_000;
/** So much the writer copies itself: a few milliseconds, and then the log begins anew. */
const REST = 1_000;
/** Not after each: a look costs some 20 µs, and a commit writes a few dozen frames. */
const COMMITS_A_LOOK = 16;
/** Where the thread does not keep up, or there is none: 256 MiB, copied inside a commit as SQLite does by itself. */
const BACKSTOP = 64_000;

interface Log {
  /** Frames in the log, and how many of them are in the database already; -1 before the first. */
  readonly log: number;
  readonly checkpointed: number;
}

/** In the executable it is an entry point of its own, under the name that the build gives it. */
function workerUrl(): string | URL {
  const here = import.meta.url;
  if (here.includes("/$bunfs/")) return "/$bunfs/root/src/store/sqlite/worker-entry.js";
  return new URL("./worker-entry.ts", here);
}

/**
 * Copies the log into the database on a thread of its own. Inside a commit that takes a tenth of a second, for which
 * nobody would be answered. The thread copies what there is while the writer goes on; what came meanwhile is little, and
 * the writer copies it between two transactions, since only a log that is copied to its end begins anew.
 */
export class Checkpointer {
  readonly #path: string;
  readonly #writer: Database;
  readonly #look: Statement<Log>;
  #worker: Worker | null = null;
  /** Resolves when the thread has done its part. */
  #pass: Promise<void> | null = null;
  /** How much was left to copy before the pass that has just ended, or null where there was none. */
  #before: number | null = null;
  #commits = 0;
  #failed = false;

  constructor(path: string, writer: Database) {
    this.#path = path;
    this.#writer = writer;
    writer.run(`PRAGMA wal_autocheckpoint = ${BACKSTOP}`);
    this.#look = writer.prepare<Log, []>("PRAGMA wal_checkpoint(NOOP)");
  }

  /** To be called after commits, outside of transactions. */
  committed(): void {
    if (this.#pass !== null || this.#failed) return;
    if (++this.#commits % COMMITS_A_LOOK !== 0 && this.#before === null) return;
    const { log, checkpointed } = this.#look.all()[0]!;
    const left = log - checkpointed;
    const before = this.#before;
    this.#before = null;
    if (before !== null && left <= REST) {
      try {
        this.#writer.run("PRAGMA wal_checkpoint(PASSIVE)");
      } catch {
        // Everything is in the log and stays there: a disk that is full now is met again by the next commit.
      }
      return;
    }
    // A reader elsewhere may hold the log: then a pass brings nothing, and is tried again when there is more.
    if (left >= FRAMES || (before !== null && left < before / 2)) this.#begin(left);
  }

  async close(): Promise<void> {
    this.#worker?.ref();
    await this.#pass;
    this.#worker?.terminate();
    this.#worker = null;
    this.#look.finalize();
  }

  #begin(left: number): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pass = promise;
    const end = (before: number | null): void => {
      this.#before = before;
      this.#pass = null;
      resolve();
    };
    this.#worker ??= new Worker(workerUrl(), { smol: true, ref: false });
    this.#worker.onmessage = () => end(left);
    this.#worker.onerror = () => {
      // The writer's own limit stands behind it.
      this.#failed = true;
      end(null);
    };
    this.#worker.postMessage(this.#path);
  }
}
