import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { openExchangeDatabase } from "./open.ts";

export type RequestState = "queued" | "running" | "done" | "failed" | "cancelled";

/** What is kept in memory of a request: all but its bytes. Times in milliseconds UTC, sizes in bytes. */
export interface RequestRow {
  uid: number;
  gid: number;
  pid: number;
  surface: string;
  id: string;
  attempt: number;
  state: RequestState;
  fingerprint: string;
  route: string | null;
  bodyBytes: number;
  resultBytes: number;
  streamBytes: number;
  created: number;
  finished: number | null;
  /** Bits of `FilePart`: which files of it were removed. */
  hidden: number;
}

export interface SettingRow {
  path: string;
  value: string;
  time: number;
}

export interface AuditRow {
  seq: number;
  uid: number;
  start: number;
  uidStart: number;
  bytes: number;
  time: number;
  line: string;
  hash: string;
}

interface Queued {
  readonly sql: string;
  readonly values: SQLQueryBindings[];
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const REQUEST_COLUMNS = `uid, gid, pid, surface, id, attempt, state, fingerprint, route, created, finished, hidden,
  length(body) AS bodyBytes, coalesce(length(result), 0) AS resultBytes, coalesce(length(stream), 0) AS streamBytes`;

/**
 * All SQL of the exchange. Writes are queued and share one transaction at the next `flush`, which the FUSE loop calls
 * when no message waits: 64 programs that commit at once pay for one fsync together. `durable()` settles after it.
 */
export class ExchangeStore {
  readonly #db: Database;
  readonly #statements = new Map<string, Statement>();
  #queue: Queued[] = [];
  #waiting: Waiting[] = [];
  #urgent = false;
  readonly #onQueued: () => void;

  /** @param onQueued called once when a flush becomes due, for hosts without a loop of their own */
  constructor(path: string, onQueued: () => void = () => {}) {
    this.#db = openExchangeDatabase(path);
    this.#onQueued = onQueued;
  }

  /** Whether somebody waits for a flush. */
  get urgent(): boolean {
    return this.#urgent;
  }

  get pending(): number {
    return this.#queue.length;
  }

  /** `Database.query` keeps only the last twenty statements; there are more here. */
  #prepared(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #write(sql: string, ...values: SQLQueryBindings[]): void {
    this.#queue.push({ sql, values });
  }

  /** Settles when everything queued so far is on the disk. */
  durable(): Promise<void> {
    if (!this.#urgent) {
      this.#urgent = true;
      this.#onQueued();
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Write the queue in one transaction, synchronously. All that wait for it share its outcome. */
  flush(): void {
    const queue = this.#queue;
    const waiting = this.#waiting;
    this.#queue = [];
    this.#waiting = [];
    this.#urgent = false;
    try {
      if (queue.length > 0) {
        this.#prepared("BEGIN IMMEDIATE").run();
        try {
          for (const { sql, values } of queue) this.#prepared(sql).run(...values);
          this.#prepared("COMMIT").run();
        } catch (error) {
          this.#db.run("ROLLBACK");
          throw error;
        }
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
      return;
    }
    for (const { resolve } of waiting) resolve();
  }

  close(): void {
    this.flush();
    for (const statement of this.#statements.values()) statement.finalize();
    this.#db.close();
  }

  // Homes and settings

  homes(): { uid: number; gid: number; created: number }[] {
    return this.#prepared("SELECT uid, gid, created FROM home ORDER BY uid").all() as never;
  }

  addHome(uid: number, gid: number, time: number): void {
    this.#write("INSERT OR IGNORE INTO home (uid, gid, created) VALUES (?, ?, ?)", uid, gid, time);
  }

  settings(): SettingRow[] {
    return this.#prepared("SELECT path, value, time FROM setting ORDER BY path").all() as SettingRow[];
  }

  setSetting(path: string, value: string, time: number): void {
    this.#write("INSERT OR REPLACE INTO setting (path, value, time) VALUES (?, ?, ?)", path, value, time);
  }

  deleteSetting(path: string): void {
    this.#write("DELETE FROM setting WHERE path = ?", path);
  }

  // Requests

  /** The last attempt of every request that still has a visible file, oldest first. */
  requests(): RequestRow[] {
    return this.#prepared(
      `SELECT ${REQUEST_COLUMNS} FROM request AS r
         WHERE hidden <> 31 AND attempt = (SELECT max(attempt) FROM request AS l
           WHERE l.uid = r.uid AND l.surface = r.surface AND l.id = r.id)
         ORDER BY created, rowid`,
    ).all() as RequestRow[];
  }

  /** The number of the last attempt that was ever made under an id, 0 if none. */
  lastAttempt(uid: number, surface: string, id: string): number {
    const row = this.#prepared(
      "SELECT max(attempt) AS attempt FROM request WHERE uid = ? AND surface = ? AND id = ?",
    ).get(uid, surface, id) as { attempt: number | null };
    return row.attempt ?? 0;
  }

  insertRequest(row: RequestRow, body: Uint8Array): void {
    this.#write(
      `INSERT INTO request (uid, surface, id, attempt, gid, pid, state, body, fingerprint, route, created)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.uid,
      row.surface,
      row.id,
      row.attempt,
      row.gid,
      row.pid,
      row.state,
      body,
      row.fingerprint,
      row.route,
      row.created,
    );
  }

  setState(row: RequestRow, state: RequestState): void {
    this.#write(
      "UPDATE request SET state = ? WHERE uid = ? AND surface = ? AND id = ? AND attempt = ?",
      state,
      row.uid,
      row.surface,
      row.id,
      row.attempt,
    );
  }

  /** Forget a request with all its attempts: every file of it was removed. */
  deleteRequest(row: RequestRow): void {
    this.#write("DELETE FROM request WHERE uid = ? AND surface = ? AND id = ?", row.uid, row.surface, row.id);
  }

  setHidden(row: RequestRow): void {
    this.#write(
      "UPDATE request SET hidden = ? WHERE uid = ? AND surface = ? AND id = ? AND attempt = ?",
      row.hidden,
      row.uid,
      row.surface,
      row.id,
      row.attempt,
    );
  }

  finishRequest(
    row: RequestRow,
    outcome: {
      state: RequestState;
      result: Uint8Array;
      stream: Uint8Array | null;
      route: string | null;
      finished: number;
    },
  ): void {
    this.#write(
      `UPDATE request SET state = ?, result = ?, stream = ?, route = ?, finished = ?
       WHERE uid = ? AND surface = ? AND id = ? AND attempt = ?`,
      outcome.state,
      outcome.result,
      outcome.stream,
      outcome.route,
      outcome.finished,
      row.uid,
      row.surface,
      row.id,
      row.attempt,
    );
  }

  #part(column: "body" | "result" | "stream", row: RequestRow): Uint8Array {
    // A row that is still in the queue has to be on the disk before it can be read back.
    if (this.#queue.length > 0) this.flush();
    const found = this.#prepared(
      `SELECT ${column} AS part FROM request WHERE uid = ? AND surface = ? AND id = ? AND attempt = ?`,
    ).get(row.uid, row.surface, row.id, row.attempt) as { part: Uint8Array | null } | null;
    return found?.part ?? new Uint8Array(0);
  }

  body(row: RequestRow): Uint8Array {
    return this.#part("body", row);
  }

  result(row: RequestRow): Uint8Array {
    return this.#part("result", row);
  }

  stream(row: RequestRow): Uint8Array {
    return this.#part("stream", row);
  }

  // Threads

  messages(uid: number, thread: string): { line: string; time: number }[] {
    if (this.#queue.length > 0) this.flush();
    return this.#prepared("SELECT line, time FROM message WHERE uid = ? AND thread = ? ORDER BY seq").all(
      uid,
      thread,
    ) as { line: string; time: number }[];
  }

  addMessage(uid: number, thread: string, seq: number, line: string, time: number): void {
    this.#write(
      "INSERT INTO message (uid, thread, seq, line, time) VALUES (?, ?, ?, ?, ?)",
      uid,
      thread,
      seq,
      line,
      time,
    );
  }

  deleteMessages(uid: number, thread: string): void {
    this.#write("DELETE FROM message WHERE uid = ? AND thread = ?", uid, thread);
  }

  // Audit

  lastAudit(): AuditRow | null {
    return this.#prepared(
      "SELECT seq, uid, start, uid_start AS uidStart, bytes, time, line, hash FROM audit ORDER BY seq DESC LIMIT 1",
    ).get() as AuditRow | null;
  }

  /** For each uid: how long its slice of the log is, and when its last row came. */
  auditTotals(): { uid: number; bytes: number; time: number }[] {
    return this.#prepared(
      "SELECT uid, max(uid_start + bytes) AS bytes, max(time) AS time FROM audit GROUP BY uid",
    ).all() as { uid: number; bytes: number; time: number }[];
  }

  /** How often each event came, and the tokens that it reported. */
  auditCounts(): { event: string; count: number; input: number; output: number }[] {
    return this.#prepared(
      `SELECT line ->> 'event' AS event, count(*) AS count, total(line ->> 'input_tok') AS input,
           total(line ->> 'output_tok') AS output FROM audit GROUP BY 1`,
    ).all() as never;
  }

  addAudit(row: AuditRow): void {
    this.#write(
      "INSERT INTO audit (seq, uid, start, uid_start, bytes, time, line, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      row.seq,
      row.uid,
      row.start,
      row.uidStart,
      row.bytes,
      row.time,
      row.line,
      row.hash,
    );
  }

  /** The number of the row that holds a byte of the log: rows are numbered without gaps, and positions grow with them. */
  #auditRowAt(position: number): number {
    const start = this.#prepared("SELECT start FROM audit WHERE seq = ?");
    let low = 1;
    let high = this.lastAudit()?.seq ?? 0;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((start.get(middle) as { start: number }).start <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** A byte range of the log, or of one uid's slice of it. */
  readAudit(uid: number | undefined, offset: number, size: number): Uint8Array {
    if (this.#queue.length > 0) this.flush();
    const rows = (
      uid === undefined
        ? this.#prepared("SELECT start AS at, line FROM audit WHERE seq BETWEEN ? AND ? ORDER BY seq").all(
            this.#auditRowAt(offset),
            this.#auditRowAt(offset + size - 1),
          )
        : this.#prepared(
            `SELECT uid_start AS at, line FROM audit WHERE uid = ?3 AND uid_start < ?2 AND
               uid_start >= (SELECT coalesce(max(uid_start), 0) FROM audit WHERE uid = ?3 AND uid_start <= ?1)
               ORDER BY uid_start`,
          ).all(offset, offset + size, uid)
    ) as { at: number; line: string }[];
    if (rows.length === 0) return new Uint8Array(0);
    const text = Buffer.from(rows.map((row) => row.line).join(""));
    const skip = offset - rows[0]!.at;
    return skip >= text.length ? new Uint8Array(0) : text.subarray(skip, skip + size);
  }
}
