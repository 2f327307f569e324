import type { Database } from "bun:sqlite";
import type { Artifacts } from "../artifacts/index.ts";
import { fail, toFailure } from "../base/errors.ts";
import { LogRoom } from "../base/log-room.ts";
import { archiveReader } from "./archives/reader.ts";
import { type Changed, done, type Job, type Joined, type Settling } from "./job.ts";
import { forgetKept, newKept } from "./kept.ts";
import { type Operation, type Query, StatementCache, type Topic, type Transaction } from "./operation.ts";
import { Checkpointer } from "./sqlite/checkpointer.ts";
import { LogSync } from "./sqlite/log-sync.ts";
import { isBusy, openReader, openWriter } from "./sqlite/open.ts";

/** `foreign`: another process committed; an empty set of keys means any. */
export type Listener = (topic: Topic, keys: ReadonlySet<string>, foreign: boolean) => void;

/** A transaction that waits longer than this for another process's lock is given up. */
const BUSY_LIMIT_MS = 10_000;
/** Ends of chains kept in memory; past it they are read again. */
const REMEMBERED = 20_000;

/** A batch of so many operations is synced on this thread: alone, it is answered sooner that way. */
const INLINE_SYNC = 1;

/**
 * The run store of one process: one writer with group commit, and a read-only connection for views.
 *
 * All operations queued in one turn of the event loop share one `BEGIN IMMEDIATE … COMMIT`, and are answered when
 * the log was synced behind it: acknowledged means fsynced. This thread goes on meanwhile, and what it queues is the next
 * batch. An operation may run twice, so it changes nothing but the store.
 */
export class Store {
  readonly path: string;
  readonly #writer: Database;
  readonly #statements: StatementCache;
  /** As every transaction has them: without a call in between for each of many statements. */
  readonly #bound: Pick<Transaction, "all" | "get" | "run">;
  readonly #reader: Database;
  readonly #readStatements: StatementCache;
  readonly #listeners = new Set<Listener>();
  readonly #sync: LogSync;
  readonly #checkpointer: Checkpointer;
  readonly #room: LogRoom;
  /** Rows changed by this connection so far: a batch that changed none needs no sync of its own. */
  #changes = 0;
  #broken: Error | null = null;
  readonly #joining = new Set<(changed: Changed) => Joined | null>();
  #woken = false;
  #queue: Job[] = [];
  #scheduled = false;
  #busySince = 0;
  #notices = new Map<Topic, Set<string>>();
  #afterCommit: (() => void)[] = [];
  readonly #remembered = new Map<string, unknown>();
  /** Of the writer alone: a view reads what other connections have written, and hears of nothing. */
  readonly #kept = newKept();
  readonly #last = new Map<string, (tx: Transaction) => void>();
  #rememberedVersion = 0;
  #dataVersion = 0;
  #readerVersion = -1;
  #closed = false;

  private constructor(path: string) {
    this.path = path;
    this.#writer = openWriter(path);
    this.#sync = new LogSync(path);
    this.#checkpointer = new Checkpointer(path, this.#writer);
    this.#statements = new StatementCache(this.#writer, this.#kept);
    const { all, get, run } = this.#statements;
    this.#bound = {
      all: all.bind(this.#statements) as Transaction["all"],
      get: get.bind(this.#statements) as Transaction["get"],
      run: run.bind(this.#statements),
    };
    this.#reader = openReader(path);
    this.#readStatements = new StatementCache(this.#reader);
    // Inside a transaction only another connection may look.
    const look = "PRAGMA wal_checkpoint(NOOP)";
    this.#room = new LogRoom(path, () => this.#readStatements.get<{ log: number }>(look)!.log);
    this.#dataVersion = this.#readDataVersion();
  }

  static open(path: string): Store {
    return new Store(path);
  }

  /** Histories that were moved into artifacts are read from these. */
  readArchivesFrom(artifacts: Pick<Artifacts, "path">): void {
    this.#readStatements.archived = archiveReader(artifacts);
  }

  /** Queue a named operation. Rejects with the operation's own error, or with the whole batch's. */
  write<Input, Output>(operation: Operation<Input, Output>, input: Input): Promise<Output> {
    if (this.#closed) return Promise.reject(fail("unavailable", "the store is closed"));
    if (this.#broken !== null) {
      const problem = `the disk of ${this.path} failed: ${toFailure(this.#broken).message}`;
      return Promise.reject(fail("io", problem, { hint: "look after the disk, then start again" }));
    }
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

  /** A number that is another one after any commit of any process, looked at once a turn of the event loop. */
  commits(): number {
    if (this.#readerVersion < 0) {
      this.#readerVersion = this.#readStatements.get<{ data_version: number }>(
        "PRAGMA data_version",
      )!.data_version;
      setImmediate(() => {
        this.#readerVersion = -1;
      });
    }
    return this.#readerVersion;
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
    while (this.#queue.length > 0 || !this.#sync.idle) await new Promise((resolve) => setTimeout(resolve, 1));
    this.#closed = true;
    this.#sync.close();
    await this.#checkpointer.close();
    this.#room.close();
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

  /**
   * Take part in batches, after all that was queued: an operation that sees what the others did and shares their commit.
   * `ask` is called within each batch with what it has changed so far, and may stay out of it with null.
   */
  join(ask: (changed: Changed) => Joined | null): () => void {
    this.#joining.add(ask);
    return () => this.#joining.delete(ask);
  }

  /** Have a batch run, for those who join, also when nothing is queued. */
  wake(): void {
    this.#woken = true;
    this.#schedule();
  }

  #schedule(): void {
    // What comes while the disk is busy shares the next batch: many small ones would cost more than they gain.
    if (this.#scheduled || !this.#sync.idle) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#queue.length === 0 && !this.#woken) return;
    this.#woken = false;
    const batch = this.#queue;
    this.#queue = [];
    const tx = this.#transaction();
    let settle: Settling[];
    try {
      this.#exec("BEGIN IMMEDIATE");
      this.#room.make();
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
      this.#reject(batch, error);
      return;
    }
    this.#readerVersion = -1;
    const notices = this.#notices;
    const afterCommit = this.#afterCommit;
    this.#notices = new Map();
    this.#afterCommit = [];
    const answer = (): void => {
      for (const { finish } of settle) finish();
      for (const work of afterCommit) work();
      for (const [topic, keys] of notices)
        for (const listener of this.#listeners) listener(topic, keys, false);
    };
    const changes = this.#totalChanges();
    if (changes === this.#changes && this.#sync.idle) {
      answer();
      return;
    }
    this.#changes = changes;
    const synced = (error: Error | null): void => {
      if (error === null) {
        answer();
        this.#checkpointer.committed();
      } else {
        // What the disk holds is no longer known: nothing is built upon it.
        this.#broken ??= error;
        this.#reject(batch, error);
      }
      if (this.#queue.length > 0 || this.#woken) this.#schedule();
    };
    if (settle.length <= INLINE_SYNC && this.#sync.idle) {
      for (const { prepare } of settle) prepare?.();
      synced(this.#sync.now());
      return;
    }
    this.#sync.after(synced);
    for (const { prepare } of settle) prepare?.();
  }

  #reject(batch: readonly Job[], error: unknown): void {
    const failure = fail("io", `the store could not commit: ${toFailure(error).message}`, {
      hint: "check the space and the health of the disk",
      cause: error,
    });
    for (const job of batch) job.reject(failure);
  }

  #totalChanges(): number {
    return this.#statements.get<{ changes: number }>("SELECT total_changes() AS changes")!.changes;
  }

  /** Run what is queued, then what joins, which becomes part of the batch. */
  #each(batch: Job[], run: (job: Job) => Settling): Settling[] {
    const settle: Settling[] = [];
    for (const job of batch) settle.push(run(job));
    for (const ask of this.#joining) {
      const joined = ask(this.#notices);
      if (joined === null) continue;
      const job = joined as Job;
      batch.push(job);
      settle.push(run(job));
    }
    return settle;
  }

  /**
   * All operations as they come. A savepoint for each would copy every page that it touches, so the common case, in
   * which none of them refuses, goes without. @returns null when one did: nothing has happened, and all run again apart
   */
  #together(batch: Job[], tx: Transaction): Settling[] | null {
    try {
      return this.#each(batch, (job) => {
        return done(job, job.run(tx));
      });
    } catch {
      this.#rollBack();
      this.#exec("BEGIN IMMEDIATE");
      return null;
    }
  }

  /** Each operation in a savepoint of its own: one that refuses leaves the others. */
  #apart(batch: Job[], tx: Transaction): Settling[] {
    return this.#each(batch, (job) => {
      this.#exec("SAVEPOINT operation");
      const promised = this.#afterCommit.length;
      try {
        const value = job.run(tx);
        this.#exec("RELEASE operation");
        return done(job, value);
      } catch (error) {
        this.#afterCommit.length = promised;
        try {
          this.#forget();
          this.#exec("ROLLBACK TO operation");
          this.#exec("RELEASE operation");
        } catch {
          // Some errors (a full disk) end the whole transaction; COMMIT then fails for everyone.
        }
        return { finish: () => job.reject(error) };
      }
    });
  }

  /** Inside the lock: what another process has committed since is not known here. */
  #checkRemembered(): void {
    const version = this.#readDataVersion();
    if (version !== this.#rememberedVersion || this.#remembered.size > REMEMBERED) this.#forget();
    this.#rememberedVersion = version;
  }

  #forget(): void {
    this.#remembered.clear();
    forgetKept(this.#kept);
  }

  #rollBack(): void {
    this.#notices.clear();
    this.#afterCommit = [];
    this.#forget();
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
    return {
      ...this.#bound,
      notify: (topic, key) => {
        const keys = this.#notices.get(topic);
        if (keys === undefined) this.#notices.set(topic, new Set([key]));
        else keys.add(key);
      },
      afterCommit: (work) => void this.#afterCommit.push(work),
      kept: this.#kept,
      recall: <Value>(key: string) => this.#remembered.get(key) as Value | undefined,
      remember: (key, value) => void this.#remembered.set(key, value),
      beforeCommit: (key, work) => void this.#last.set(key, work),
    };
  }
}
