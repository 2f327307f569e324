import { Database } from "bun:sqlite";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { fail, toFailure } from "../../../src/base/errors.ts";
import { makePrivateDirectory } from "../../../src/base/files.ts";
import { MIGRATIONS } from "./schema.ts";

/** "CTXF" as a big-endian integer. */
const APPLICATION_ID = 0x43545846;

function pragma(db: Database, name: string): number {
  return Object.values(db.query(`PRAGMA ${name}`).get() as Record<string, number>)[0]!;
}

/**
 * Open the exchange database and take it for this process alone: one daemon serves one state directory, and an
 * exclusive lock makes a second one fail at once instead of running every request twice.
 */
export function openExchangeDatabase(path: string): Database {
  let db: Database | undefined;
  try {
    makePrivateDirectory(dirname(path));
    db = new Database(path, { create: true, strict: true });
    // A predecessor that is just ending may hold the lock for a moment.
    db.run("PRAGMA busy_timeout = 2000");
    db.run("PRAGMA locking_mode = EXCLUSIVE");
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = FULL");
    db.run("BEGIN EXCLUSIVE");
    const version = pragma(db, "user_version");
    if (version > MIGRATIONS.length) {
      throw fail("store_newer", `${path} has schema ${version}, this build knows ${MIGRATIONS.length}`);
    }
    if (version > 0 && pragma(db, "application_id") !== APPLICATION_ID) {
      throw fail("store_corrupt", `${path} is not a CortexFS exchange`);
    }
    for (let next = version; next < MIGRATIONS.length; next++) db.run(MIGRATIONS[next]!);
    db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
    db.run("COMMIT");
    chmodSync(path, 0o600);
    return db;
  } catch (error) {
    db?.close();
    const failure = toFailure(error);
    if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY")) {
      throw fail("store_busy", `another daemon uses ${path}`, {
        hint: "stop it (`ctx umount`), or give this one another state directory",
        cause: error,
      });
    }
    if (failure.code !== "internal") throw failure;
    throw fail("io", `cannot open ${path}: ${failure.message}`, { cause: error });
  }
}
