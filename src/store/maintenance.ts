import { Database } from "bun:sqlite";
import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { fail, toFailure } from "../base/errors.ts";
import { syncDirectory } from "../base/files.ts";
import { JUDGED_FROM } from "./artifacts/orphans.ts";
import { auditTenants, verifyAudit } from "./audit/read.ts";
import { StatementCache } from "./operation.ts";
import { openReader, SCHEMA_VERSION, verifyHeader } from "./sqlite/open.ts";

export interface CheckReport {
  ok: boolean;
  schema: number;
  expected_schema: number;
  problems: string[];
  counts: Record<string, number>;
}

/** Read the whole store: page structure, references between rows, and each tenant's audit chain. Changes nothing. */
export function checkStore(path: string): CheckReport {
  if (!existsSync(path)) throw fail("not_found", `there is no store at ${path}`);
  const db = openReader(path);
  try {
    const schema = verifyHeader(db, path);
    const problems: string[] = [];
    for (const row of db.query("PRAGMA integrity_check").all() as { integrity_check: string }[]) {
      if (row.integrity_check !== "ok") problems.push(row.integrity_check);
    }
    for (const row of db.query("PRAGMA foreign_key_check").all() as {
      table: string;
      rowid: number;
      parent: string;
    }[]) {
      problems.push(`a row of ${row.table} refers to a missing row of ${row.parent}`);
    }
    const statements = new StatementCache(db);
    for (const tenantId of auditTenants(statements, null)) {
      const chain = verifyAudit(statements, { tenantId });
      if (chain.brokenAt !== null)
        problems.push(`the audit chain of ${tenantId} is broken at ${chain.brokenAt}`);
    }
    const counts: Record<string, number> = {};
    for (const table of ["instance", "event", "request", "lease", "artifact", "audit"]) {
      counts[table] = statements.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)!.n;
    }
    return { ok: problems.length === 0, schema, expected_schema: SCHEMA_VERSION, problems, counts };
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_")) {
      return { ok: false, schema: 0, expected_schema: SCHEMA_VERSION, problems: [error.message], counts: {} };
    }
    throw error;
  } finally {
    db.close();
  }
}

/** A consistent copy while others write (`VACUUM INTO`). @throws Failure `conflict` when the file exists */
export function backupStore(path: string, target: string): void {
  if (!existsSync(path)) throw fail("not_found", `there is no store at ${path}`);
  if (existsSync(target)) throw fail("conflict", `${target} already exists`, { hint: "choose another file" });
  const db = openReader(path);
  try {
    verifyHeader(db, path);
    db.run("PRAGMA query_only = OFF");
    db.query("VACUUM INTO ?").run(`${target}.part`);
    renameSync(`${target}.part`, target);
    syncDirectory(dirname(target));
  } catch (error) {
    rmSync(`${target}.part`, { force: true });
    throw fail("io", `cannot write ${target}: ${toFailure(error).message}`, { cause: error });
  } finally {
    db.close();
  }
}

/**
 * Put a backup in the store's place; the store that was there stays beside it as `.replaced`. The backup is checked
 * first. The caller holds the host lock.
 */
export function restoreStore(backup: string, path: string): CheckReport {
  const report = checkStore(backup);
  if (!report.ok)
    throw fail("store_corrupt", `${backup} is damaged: ${report.problems[0]}`, {
      hint: "restore another backup",
    });
  copyFileSync(backup, `${path}.new`);
  const copy = new Database(`${path}.new`);
  copy.run("PRAGMA journal_mode = DELETE");
  // What came since the backup is named by the store that goes.
  copy.run("DELETE FROM setting WHERE key = ?", [JUDGED_FROM]);
  copy.close();
  if (existsSync(path)) {
    // Whatever the write-ahead log holds belongs to the old store: fold it in before the file moves.
    const old = new Database(path);
    old.run("PRAGMA wal_checkpoint(TRUNCATE)");
    old.close();
    renameSync(path, `${path}.replaced`);
  }
  for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  renameSync(`${path}.new`, path);
  syncDirectory(dirname(path));
  return report;
}
