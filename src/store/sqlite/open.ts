import { Database } from "bun:sqlite";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { Failure, fail, toFailure } from "../../base/errors.ts";
import { makePrivateDirectory } from "../../base/files.ts";
import { MIGRATIONS } from "./schema.ts";

export const SCHEMA_VERSION = MIGRATIONS.length;

/** "LFRS" as a big-endian integer: `file(1)` and we can tell this database from any other. */
const APPLICATION_ID = 0x4c465253;

function pragma(db: Database, name: string): number {
  return Object.values(db.query(`PRAGMA ${name}`).get() as Record<string, number>)[0]!;
}

const OPEN_WAIT_MS = 5_000;

/** Whether SQLite said that another process holds the lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY");
}

/** All of one moment: another process may make the store meanwhile, and half of it would look like another program's. */
function readHeader(db: Database): { version: number; application: number; pages: number } {
  const read = () => ({
    version: pragma(db, "user_version"),
    application: pragma(db, "application_id"),
    pages: pragma(db, "page_count"),
  });
  return db.inTransaction ? read() : db.transaction(read)();
}

/** The schema version. Refuses what is not ours or is from the future, before anything is written. */
export function verifyHeader(db: Database, path: string): number {
  const { version, application, pages } = readHeader(db);
  const empty = version === 0 && application === 0 && pages <= 1;
  if (!empty && application !== APPLICATION_ID) {
    throw fail("store_corrupt", `${path} is not a LightFlow store`, {
      hint: "choose another state directory",
    });
  }
  if (version > SCHEMA_VERSION) {
    throw fail("store_newer", `${path} has schema ${version}, this build knows ${SCHEMA_VERSION}`, {
      hint: "run the newer lightflow, or restore a backup made by this one",
    });
  }
  return version;
}

/**
 * Open the store for writing, creating or migrating it. The lock wait is set before WAL and taken away afterwards:
 * a blocking wait would freeze the event loop, so the writer retries from a timer instead.
 */
function openOnce(path: string): Database {
  try {
    makePrivateDirectory(dirname(path));
  } catch (error) {
    throw fail("io", `cannot write the state directory ${dirname(path)}: ${toFailure(error).message}`, {
      hint: "set XDG_STATE_HOME to a directory that you own",
      cause: error,
    });
  }
  let db: Database;
  try {
    db = new Database(path, { create: true, strict: true, safeIntegers: false });
  } catch (error) {
    throw fail("io", `cannot open the store ${path}: ${toFailure(error).message}`, {
      hint: "set XDG_STATE_HOME to a directory that you own",
      cause: error,
    });
  }
  try {
    db.run("PRAGMA busy_timeout = 5000");
    verifyHeader(db, path);
    chmodSync(path, 0o600);
    db.run("PRAGMA journal_mode = WAL");
    // A commit is answered when the log was synced behind it, see LogSync.
    db.run("PRAGMA synchronous = NORMAL");
    db.run("PRAGMA foreign_keys = ON");
    // The default of 2 MiB is less than what a busy second touches; pages are taken only as they are needed.
    db.run("PRAGMA cache_size = -32768");
    migrate(db, path);
    db.run("PRAGMA busy_timeout = 0");
    return db;
  } catch (error) {
    db.close();
    if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_")) {
      const code = String(error.code);
      const damaged = code.startsWith("SQLITE_CORRUPT") || code.startsWith("SQLITE_NOTADB");
      throw fail(damaged ? "store_corrupt" : "io", `cannot open the store ${path}: ${error.message}`, {
        hint: damaged
          ? "run `lightflow db restore FILE`"
          : "check the rights and the space of the state directory",
        cause: error,
      });
    }
    throw error;
  }
}

/**
 * {@link openOnce}, tried again while another process opens the same new store: SQLite's own wait does not cover the
 * switch to WAL.
 */
export function openWriter(path: string): Database {
  const end = performance.now() + OPEN_WAIT_MS;
  for (;;) {
    try {
      return openOnce(path);
    } catch (error) {
      if (!(error instanceof Failure) || !isBusy(error.cause) || performance.now() > end) throw error;
      Bun.sleepSync(5 + Math.random() * 20);
    }
  }
}

function migrate(db: Database, path: string): void {
  if (pragma(db, "user_version") === SCHEMA_VERSION) return;
  db.run("BEGIN IMMEDIATE");
  try {
    // Read again inside the lock: another process may have migrated meanwhile.
    const version = verifyHeader(db, path);
    for (let next = version; next < SCHEMA_VERSION; next++) db.run(MIGRATIONS[next]!);
    db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    db.run("COMMIT");
  } catch (error) {
    // A full disk ends the transaction by itself, and a second error would hide the first.
    if (db.inTransaction) db.run("ROLLBACK");
    throw error;
  }
}

/** A connection that cannot write, for views. The store must exist. */
export function openReader(path: string): Database {
  const db = new Database(path, { readonly: true, strict: true });
  db.run("PRAGMA busy_timeout = 1000");
  db.run("PRAGMA query_only = ON");
  return db;
}
