import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";

/**
 * Brings what was committed to the disk, off this thread. SQLite itself would wait for the disk inside COMMIT and hold
 * up everything else of the process; so the writer commits into the log without a sync (`synchronous=NORMAL`) and
 * answers nobody before the log was synced behind it. One sync covers all commits that came before it began.
 *
 * The log's frames are chained by checksums: after a power cut SQLite takes those up to the last whole commit, and
 * syncs the log itself before it copies from it or begins it anew.
 */
export class LogSync {
  readonly #path: string;
  #fd: number | null = null;
  #running = false;
  #waiting: ((error: Error | null) => void)[] = [];

  /** @param path of the database */
  constructor(path: string) {
    this.#path = `${path}-wal`;
  }

  /** Whether everything that was committed is on disk. */
  get idle(): boolean {
    return !this.#running && this.#waiting.length === 0;
  }

  /** Call back when everything that is committed now is on disk. */
  after(done: (error: Error | null) => void): void {
    this.#waiting.push(done);
    if (!this.#running) this.#run();
  }

  /** The same at once, on this thread: less for the one who waits than handing it over and back. Only while idle. */
  now(): Error | null {
    try {
      fdatasyncSync(this.#open());
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #run(): void {
    const covered = this.#waiting;
    this.#waiting = [];
    const end = (error: Error | null): void => {
      this.#running = false;
      for (const done of covered) done(error);
      if (!this.#running && this.#waiting.length > 0) this.#run();
    };
    this.#running = true;
    let fd: number;
    try {
      fd = this.#open();
    } catch (error) {
      end(error as Error);
      return;
    }
    fdatasync(fd, end);
  }

  /** The log exists from the first commit on, and stays the same file as long as a connection is open. */
  #open(): number {
    this.#fd ??= openSync(this.#path, "r");
    return this.#fd;
  }
}
