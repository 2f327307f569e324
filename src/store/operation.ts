import type { Database, Statement } from "bun:sqlite";
import { changedBy, type Kept, type KeptTable } from "./kept.ts";

/** What changed, told after the commit. A hint only: whoever listens reads the store for the truth. */
export type Topic =
  | "request"
  | "result"
  | "instance"
  | "ended"
  | "event"
  | "log"
  | "timer"
  | "session"
  /** A lease of a session has ended: it may have another. */
  | "slot"
  | "call"
  | "inbox"
  | "schedule"
  | "webhook"
  | "policy"
  | "approval";

/** What an operation works with: prepared statements inside the running transaction, and hints to send after it. */
export interface Transaction {
  /** Rows of a statement; `run` for those that return none. Statements are prepared once and cached. */
  all<Row>(sql: string, ...values: SqlValue[]): Row[];
  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined;
  /** @returns how many rows changed */
  run(sql: string, ...values: SqlValue[]): number;
  notify(topic: Topic, key: string): void;
  /** Do something in this process once the transaction is committed; never where it is not. */
  afterCommit(work: () => void): void;
  /**
   * What this process wrote last under a key, as long as no other process has committed since: spares reading back the
   * end of a chain that it has just written itself.
   */
  recall<Value>(key: string): Value | undefined;
  remember<Value>(key: string, value: Value): void;
  /** Rows as they are now, by table: what is kept of one is forgotten by whatever statement may change it. */
  readonly kept: Kept;
  /** Work that is done once for the whole transaction, at its end: the last one said for a key counts. */
  beforeCommit(key: string, work: (tx: Transaction) => void): void;
}

export type SqlValue = string | number | null | Uint8Array;

/** A named unit of work. It reads inside the transaction what it decides on. */
export type Operation<Input, Output> = (tx: Transaction, input: Input) => Output;

/** The reading half, for views over a read-only connection. */
export type Query<Input, Output> = (tx: Reading, input: Input) => Output;

export type Reading = Pick<Transaction, "all" | "get"> & {
  /** A history that stands in an artifact; without it such a history cannot be read. */
  readonly archived?: (sha256: string) => unknown;
};

interface Prepared {
  readonly statement: Statement;
  /** Tables of which nothing that is kept may be true after it. */
  readonly changes: readonly KeptTable[];
}

/** Prepared statements of one connection, by their text. `Database.query` keeps only the last twenty. */
export class StatementCache {
  readonly db: Database;
  readonly #statements = new Map<string, Prepared>();
  archived?: (sha256: string) => unknown;
  readonly #kept: Kept | null;

  /** @param kept what is forgotten by each statement that may change it */
  constructor(db: Database, kept: Kept | null = null) {
    this.db = db;
    this.#kept = kept;
  }

  #statement(sql: string): Statement {
    let prepared = this.#statements.get(sql);
    if (prepared === undefined) {
      const changes = this.#kept === null ? [] : changedBy(sql);
      prepared = { statement: this.db.prepare(sql), changes };
      this.#statements.set(sql, prepared);
    }
    for (const table of prepared.changes) this.#kept![table].clear();
    return prepared.statement;
  }

  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    // `.get()` leaves a RETURNING statement unfinished and the WAL unchecked: always read to the end.
    return this.#statement(sql).all(...values)[0] as Row | undefined;
  }

  run(sql: string, ...values: SqlValue[]): number {
    return this.#statement(sql).run(...values).changes;
  }

  close(): void {
    for (const { statement } of this.#statements.values()) statement.finalize();
    this.#statements.clear();
    this.db.close();
  }
}
