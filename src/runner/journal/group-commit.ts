import type { Database } from "bun:sqlite";
import { type Failure, toFailure } from "../../base/errors.ts";
import { LogRoom } from "../../base/log-room.ts";

interface Waiting {
  readonly sql: string;
  readonly values: (string | number)[];
  readonly durable: boolean;
  resolve(): void;
  reject(failure: Failure): void;
}

/** All statements of one turn of the event loop share one commit, and are answered after it: synced, where one of them asks for it. */
export class GroupCommit {
  readonly #database: Database;
  readonly #room: LogRoom;
  #queue: Waiting[] = [];
  #scheduled = false;
  #trouble: Failure | null = null;
  /** A new connection syncs each commit. */
  #syncs = true;

  /** @param path of the database, which nobody else may write to */
  constructor(database: Database, path: string) {
    this.#database = database;
    const look = database.query<{ log: number }, []>("PRAGMA wal_checkpoint(NOOP)");
    this.#room = new LogRoom(path, () => look.all()[0]!.log);
  }

  get trouble(): Failure | null {
    return this.#trouble;
  }

  /** @param durable whether it has to outlive a power cut once it is answered; every write outlives the process */
  write(sql: string, values: (string | number)[], durable: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ sql, values, durable, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => this.#flush());
    });
  }

  /** Resolves when nothing is queued any more, and nothing may be any more. */
  async close(): Promise<void> {
    while (this.#scheduled) await new Promise((resolve) => setImmediate(resolve));
    this.#room.close();
  }

  #flush(): void {
    this.#scheduled = false;
    const batch = this.#queue;
    this.#queue = [];
    try {
      this.#room.make();
      this.#sync(batch.some(({ durable }) => durable));
      this.#database
        .transaction(() => {
          for (const { sql, values } of batch) this.#database.query(sql).run(...values);
        })
        .immediate();
      this.#trouble = null;
    } catch (error) {
      // A failed commit keeps nothing of the batch, so every caller in it must hear so.
      const failure = toFailure(error);
      this.#trouble = failure;
      for (const waiting of batch) waiting.reject(failure);
      return;
    }
    for (const waiting of batch) waiting.resolve();
  }

  #sync(wanted: boolean): void {
    if (wanted === this.#syncs) return;
    this.#database.run(`PRAGMA synchronous = ${wanted ? "FULL" : "NORMAL"}`);
    this.#syncs = wanted;
  }
}
