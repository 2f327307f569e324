import type { Database } from "bun:sqlite";
import { fail, toFailure } from "../base/errors.ts";
import { type Operation, type Query, StatementCache, type Topic, type Transaction } from "./operation.ts";
import { isBusy, openReader, openWriter } from "./sqlite/open.ts";

interface Job {
  readonly run: (tx: Transaction) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** `foreign`: another process committed; an empty set of keys means any. */
export type Listener = (topic: Topic, keys: ReadonlySet<string>, foreign: boolean) => void;

/** A transaction that waits longer than this for another process's lock is given up. */
const BUSY_LIMIT_MS = 10_000;
/** Ends of chains kept in memory; past it they are read again. */
const REMEMBERED = 20_000;

/**
 * The run store of one process: one writer with group commit, and a read-only connection for views.
 *
 * All operations queued in one turn of the event loop share one `BEGIN IMMEDIATE … COMMIT` at `synchronous=FULL`, and are
 * answered after the commit: acknowledged means fsynced. An operation may run twice before that, so it changes nothing
 * but the store.
 */
export class Store {
  readonly path: string;
  readonly #writer: Database;
  readonly #statements: StatementCache;
  readonly #reader: Database;
  readonly #readStatements: StatementCache;
  readonly #listeners = new Set<Listener>();
  #queue: Job[] = [];
  #scheduled = false;
  #busySince = 0;
  #notices = new Map<Topic, Set<string>>();
  #afterCommit: (() => void)[] = [];
  readonly #remembered = new Map<string, unknown>();
  readonly #last = new Map<string, (tx: Transaction) => void>();
  #rememberedVersion = 0;
  #dataVersion = 0;
  #closed = false;

  private constructor(path: string) {
    this.path = path;
    this.#writer = openWriter(path);
    this.#statements = new StatementCache(this.#writer);
    this.#reader = openReader(path);
    this.#readStatements = new StatementCache(this.#reader);
    this.#dataVersion = this.#readDataVersion();
  }

  static open(path: string): Store {
    return new Store(path);
  }

  /** Queue a named operation. Rejects with the operation's own error, or with the whole batch's. */
  write<Input, Output>(operation: Operation<Input, Output>, input: Input): Promise<Output> {
    if (this.#closed) return Promise.reject(fail("unavailable", "the store is closed"));
    return new Promise<Output>((resolve, reject) => {
      this.#queue.push({
        run: (tx) => operation(tx, input),
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      this.#schedule();
    });
  }

  /** Read a view. Sees everything that was acknowledged. */
  read<Input, Output>(query: Query<Input, Output>, input: Input): Output {
    return query(this.#readStatements, input);
  }

  /** Hear of commits of this process, after them. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether another process has committed since the last call: the backstop behind wake-up messages. */
  changedElsewhere(): boolean {
    const version = this.#readDataVersion();
    const changed = version !== this.#dataVersion;
    this.#dataVersion = version;
    return changed;
  }

  /** Tell listeners what another process changed; no keys means anything. */
  announce(topic: Topic, keys: ReadonlySet<string> = new Set()): void {
    for (const listener of this.#listeners) listener(topic, keys, true);
  }

  get isOpen(): boolean {
    return !this.#closed;
  }

  /** Finish what is queued, then close both connections. */
  async close(): Promise<void> {
    if (this.#closed) return;
    while (this.#queue.length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    this.#closed = true;
    this.#readStatements.close();
    this.#statements.close();
  }

  #readDataVersion(): number {
    return this.#statements.get<{ data_version: number }>("PRAGMA data_version")!.data_version;
  }

  /** A statement without values, prepared once. */
  #exec(sql: string): void {
    this.#statements.run(sql);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#queue.length === 0) return;
    const batch = this.#queue;
    this.#queue = [];
    const tx = this.#transaction();
    let settle: (() => void)[];
    try {
      this.#exec("BEGIN IMMEDIATE");
      this.#checkRemembered();
      settle = this.#together(batch, tx) ?? this.#apart(batch, tx);
      for (const work of this.#last.values()) work(tx);
      this.#last.clear();
    } catch (error) {
      this.#rollBack();
      this.#queue = [...batch, ...this.#queue];
      this.#postpone(error);
      return;
    }
    this.#busySince = 0;
    try {
      this.#exec("COMMIT");
    } catch (error) {
      this.#rollBack();
      const failure = fail("io", `the store could not commit: ${toFailure(error).message}`, {
        hint: "check the space and the health of the disk",
        cause: error,
      });
      for (const job of batch) job.reject(failure);
      return;
    }
    const notices = this.#notices;
    const afterCommit = this.#afterCommit;
    this.#notices = new Map();
    this.#afterCommit = [];
    for (const finish of settle) finish();
    for (const work of afterCommit) work();
    for (const [topic, keys] of notices) for (const listener of this.#listeners) listener(topic, keys, false);
  }

  /**
   * All operations as they come. A savepoint for each would copy every page that it touches, so the common case, in
   * which none of them refuses, goes without. @returns null when one did: nothing has happened, and all run again apart
   */
  #together(batch: readonly Job[], tx: Transaction): (() => void)[] | null {
    try {
      return batch.map((job) => {
        const value = job.run(tx);
        return () => job.resolve(value);
      });
    } catch {
      this.#rollBack();
      this.#exec("BEGIN IMMEDIATE");
      return null;
    }
  }

  /** Each operation in a savepoint of its own: one that refuses leaves the others. */
  #apart(batch: readonly Job[], tx: Transaction): (() => void)[] {
    return batch.map((job) => {
      this.#exec("SAVEPOINT operation");
      const promised = this.#afterCommit.length;
      try {
        const value = job.run(tx);
        this.#exec("RELEASE operation");
        return () => job.resolve(value);
      } catch (error) {
        this.#afterCommit.length = promised;
        try {
          this.#remembered.clear();
          this.#exec("ROLLBACK TO operation");
          this.#exec("RELEASE operation");
        } catch {
          // Some errors (a full disk) end the whole transaction; COMMIT then fails for everyone.
        }
        return () => job.reject(error);
      }
    });
  }

  /** Inside the lock: what another process has committed since is not known here. */
  #checkRemembered(): void {
    const version = this.#readDataVersion();
    if (version !== this.#rememberedVersion || this.#remembered.size > REMEMBERED) this.#remembered.clear();
    this.#rememberedVersion = version;
  }

  #rollBack(): void {
    this.#notices.clear();
    this.#afterCommit = [];
    this.#remembered.clear();
    this.#last.clear();
    try {
      this.#exec("ROLLBACK");
    } catch {
      // SQLite has already rolled back by itself.
    }
  }

  #postpone(error: unknown): void {
    const now = performance.now();
    if (this.#busySince === 0) this.#busySince = now;
    if (isBusy(error) && now - this.#busySince < BUSY_LIMIT_MS) {
      this.#scheduled = true;
      setTimeout(
        () => {
          this.#scheduled = false;
          this.#flush();
        },
        1 + Math.random() * 10,
      );
      return;
    }
    this.#busySince = 0;
    const failure = isBusy(error)
      ? fail("store_busy", `${this.path} is locked by another process`, { cause: error })
      : fail("io", `the store cannot be written: ${toFailure(error).message}`, { cause: error });
    const batch = this.#queue;
    this.#queue = [];
    for (const job of batch) job.reject(failure);
  }

  #transaction(): Transaction {
    const statements = this.#statements;
    return {
      all: (sql, ...values) => statements.all(sql, ...values),
      get: (sql, ...values) => statements.get(sql, ...values),
      run: (sql, ...values) => statements.run(sql, ...values),
      notify: (topic, key) => {
        const keys = this.#notices.get(topic);
        if (keys === undefined) this.#notices.set(topic, new Set([key]));
        else keys.add(key);
      },
      afterCommit: (work) => void this.#afterCommit.push(work),
      recall: <Value>(key: string) => this.#remembered.get(key) as Value | undefined,
      remember: (key, value) => void this.#remembered.set(key, value),
      beforeCommit: (key, work) => void this.#last.set(key, work),
    };
  }
}
