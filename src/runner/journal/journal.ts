import { Database, SQLiteError } from "bun:sqlite";
import { chmodSync, existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type Failure, fail, toFailure } from "../../base/errors.ts";
import { makePrivateDirectory } from "../../base/files.ts";
import type { TaskResult } from "../../protocol/index.ts";
import type { ExitRecord, JournalEntry, JournalState, LeaseContext } from "./entry.ts";
import { GroupCommit } from "./group-commit.ts";

/** A confirmed lease is remembered this long, so that a late second offer of it is not run. */
const TOMBSTONE_MS = 24 * 3_600_000;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS lease (
  lease_id TEXT PRIMARY KEY,
  attempt INTEGER NOT NULL,
  fencing_token INTEGER NOT NULL,
  state TEXT NOT NULL,
  context TEXT,
  started_at TEXT,
  exit TEXT,
  result TEXT,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS lease_state ON lease (state, updated_at);
CREATE TABLE IF NOT EXISTS frozen (lease_id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

interface Row {
  lease_id: string;
  attempt: number;
  fencing_token: number;
  state: JournalState;
  context: string | null;
  started_at: string | null;
  exit: string | null;
  result: string | null;
}

function entryOf(row: Row): JournalEntry {
  return {
    leaseId: row.lease_id,
    attempt: row.attempt,
    fencingToken: row.fencing_token,
    state: row.state,
    context: row.context === null ? null : (JSON.parse(row.context) as LeaseContext),
    startedAt: row.started_at,
    exit: row.exit === null ? null : (JSON.parse(row.exit) as ExitRecord),
    result: row.result === null ? null : (JSON.parse(row.result) as TaskResult),
  };
}

function openDatabase(path: string): Database {
  const database = new Database(path, { create: true, strict: true });
  try {
    // Held as long as the runner lives: a second runner on the same directory is refused by the file itself.
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    const check = database.query("PRAGMA quick_check(1)").get() as { quick_check: string } | null;
    if (check?.quick_check !== "ok")
      throw fail("store_corrupt", `the journal is damaged: ${check?.quick_check}`);
    database.transaction(() => database.run(SCHEMA)).immediate();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * What this runner promised and did, on disk: the only place of the runner that knows SQL. It holds no secret and
 * no task payload, only what is needed to report.
 */
export class Journal {
  readonly #database: Database;
  readonly #writer: GroupCommit;

  /**
   * @throws Failure `conflict` when another runner uses the directory, `store_corrupt` when the file is damaged: it
   * is then moved aside, and the runner stays down until a person has looked and removed it
   */
  constructor(directory: string) {
    makePrivateDirectory(directory);
    chmodSync(directory, 0o700);
    const aside = readdirSync(directory).find((name) => name.startsWith("journal.damaged-"));
    if (aside !== undefined) {
      throw fail("store_corrupt", `a damaged journal was set aside as ${join(directory, aside)}`, {
        hint: "check what its tasks did, then remove the file and start the runner again",
      });
    }
    const path = join(directory, "journal.db");
    const previousMask = process.umask(0o077);
    try {
      this.#database = openDatabase(path);
    } catch (error) {
      throw refuseOpening(directory, path, error);
    } finally {
      process.umask(previousMask);
    }
    this.#writer = new GroupCommit(this.#database, path);
    this.#database.run("DELETE FROM lease WHERE state = 'CLEANUP_CONFIRMED' AND updated_at < ?", [
      Date.now() - TOMBSTONE_MS,
    ]);
  }

  /** Why the last write failed, or null: a runner that cannot journal takes no work. */
  get trouble(): Failure | null {
    return this.#writer.trouble;
  }

  /** Find out whether it can be written again. */
  async retry(): Promise<void> {
    await this.setFact("retried", String(Date.now())).catch(() => {});
  }

  find(leaseId: string): JournalEntry | null {
    const row = this.#database.query<Row, [string]>("SELECT * FROM lease WHERE lease_id = ?").get(leaseId);
    return row === null ? null : entryOf(row);
  }

  /** All that is not finished, oldest first. */
  unfinished(): JournalEntry[] {
    return this.#database
      .query<Row, []>("SELECT * FROM lease WHERE state <> 'CLEANUP_CONFIRMED' ORDER BY updated_at, lease_id")
      .all()
      .map(entryOf);
  }

  count(state: JournalState): number {
    return this.#database
      .query<{ n: number }, [string]>("SELECT count(*) AS n FROM lease WHERE state = ?")
      .get(state)!.n;
  }

  /** The intent to run a lease, durable before anything else is done for it. */
  intent(leaseId: string, context: LeaseContext): Promise<void> {
    return this.#write(
      "INSERT INTO lease (lease_id, attempt, fencing_token, state, context, updated_at) VALUES (?, ?, ?, 'INTENT_RECORDED', ?, ?)",
      [leaseId, context.attempt, context.fencingToken, JSON.stringify(context), Date.now()],
    );
  }

  /** From here on the command may have run. */
  executing(leaseId: string, startedAt: string): Promise<void> {
    return this.#write(
      "UPDATE lease SET state = 'EXECUTING', started_at = ?, updated_at = ? WHERE lease_id = ?",
      [startedAt, Date.now(), leaseId],
    );
  }

  /** How the command ended; written before anything of it is cleaned up. */
  exited(leaseId: string, exit: ExitRecord): Promise<void> {
    return this.#write(
      "UPDATE lease SET state = 'CLEANUP_REQUIRED', exit = ?, updated_at = ? WHERE lease_id = ?",
      [JSON.stringify(exit), Date.now(), leaseId],
    );
  }

  /** The result, exactly as it will be sent, and sent again. */
  terminal(leaseId: string, result: TaskResult): Promise<void> {
    return this.#write(
      "UPDATE lease SET state = 'TERMINAL_PENDING', result = ?, updated_at = ? WHERE lease_id = ?",
      [JSON.stringify(result), Date.now(), leaseId],
    );
  }

  /** The controller has the result, or will never take it. Lost in a power cut, the same result is sent once more. */
  reported(leaseId: string): Promise<void> {
    return this.#writer.write(
      "UPDATE lease SET state = 'TERMINAL_REPORTED', updated_at = ? WHERE lease_id = ?",
      [Date.now(), leaseId],
      false,
    );
  }

  /**
   * Nothing of the lease is left on this host; only its id stays, against a late second offer. Lost in a power cut, it is
   * cleaned once more.
   */
  confirmed(leaseId: string): Promise<void> {
    return this.#writer.write(
      "UPDATE lease SET state = 'CLEANUP_CONFIRMED', context = NULL, exit = NULL, result = NULL, updated_at = ? WHERE lease_id = ?",
      [Date.now(), leaseId],
      false,
    );
  }

  /** The lease was given back before it started: a new offer of it may be taken. */
  forget(leaseId: string): Promise<void> {
    return this.#write("DELETE FROM lease WHERE lease_id = ?", [leaseId]);
  }

  /** What a task left stays until then. */
  frozen(leaseId: string, expiresAt: number): Promise<void> {
    return this.#write(
      "INSERT INTO frozen VALUES (?, ?) ON CONFLICT (lease_id) DO UPDATE SET expires_at = excluded.expires_at",
      [leaseId, expiresAt],
    );
  }

  /** Nothing of it is kept any more. */
  thawed(leaseId: string): Promise<void> {
    return this.#write("DELETE FROM frozen WHERE lease_id = ?", [leaseId]);
  }

  /** When each frozen task's time is over. */
  frozenTasks(): ReadonlyMap<string, number> {
    const rows = this.#database
      .query<{ lease_id: string; expires_at: number }, []>("SELECT lease_id, expires_at FROM frozen")
      .all();
    return new Map(rows.map((row) => [row.lease_id, row.expires_at]));
  }

  fact(name: string): string | null {
    const row = this.#database
      .query<{ value: string }, [string]>("SELECT value FROM fact WHERE name = ?")
      .get(name);
    return row?.value ?? null;
  }

  setFact(name: string, value: string): Promise<void> {
    return this.#write(
      "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      [name, value],
    );
  }

  async close(): Promise<void> {
    await this.#writer.close();
    this.#database.close();
  }

  #write(sql: string, values: (string | number)[]): Promise<void> {
    return this.#writer.write(sql, values, true);
  }
}

function refuseOpening(directory: string, path: string, error: unknown): Failure {
  if (error instanceof SQLiteError && (error.code ?? "").startsWith("SQLITE_BUSY")) {
    return fail("conflict", `another runner is using ${directory}`, {
      hint: "stop it, or give this runner its own data directory",
    });
  }
  const failure = toFailure(error);
  const damaged =
    failure.code === "store_corrupt" ||
    (error instanceof SQLiteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code ?? ""));
  if (!damaged) return failure.code === "internal" ? fail("io", `${path}: ${failure.message}`) : failure;
  const aside = `${directory}/journal.damaged-${Date.now()}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return fail("store_corrupt", `${path} is damaged and was moved to ${aside}`, {
    hint: "check what its tasks did, then remove the file and start the runner again",
    cause: error,
  });
}
