import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Operation } from "../operation.ts";
import { Store } from "../store.ts";

const note: Operation<{ key: string; value: string }, void> = (tx, { key, value }) => {
  tx.run(
    "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    key,
    value,
  );
};

test("a log of 64 MiB is copied beside the writer and begins anew, and what was written stands in the database alone", async () => {
  const directory = mkdtempSync(join(tmpdir(), "checkpoint-"));
  const path = join(directory, "store.db");
  const store = Store.open(path);
  const elsewhere = new Database(path, { readonly: true });
  const log = elsewhere.prepare<{ log: number }, []>("PRAGMA wal_checkpoint(NOOP)");
  try {
    store.changedElsewhere();
    let longest = 0;
    let began = false;
    for (let round = 0; round < 400 && !began; round++) {
      // Pages that say what they said are not written.
      await store.write(note, { key: `key ${round % 8}`, value: `${round % 10}`.repeat(900_000) });
      const frames = log.all()[0]!.log;
      began = frames < longest;
      longest = Math.max(longest, frames);
    }
    expect(began).toBe(true);
    expect(longest).toBeGreaterThan(16_000);
    expect(longest).toBeLessThan(64_000);
    // The thread's connection is nobody whose commits are to be looked for.
    expect(store.changedElsewhere()).toBe(false);
    log.finalize();
    elsewhere.close();
    await store.close();
    expect(statSync(`${path}-wal`, { throwIfNoEntry: false })).toBeUndefined();
    const db = new Database(path, { readonly: true });
    expect(db.query("SELECT count(*) AS n, min(length(value)) AS length FROM setting").get()).toEqual({
      n: 8,
      length: 900_000,
    });
    expect(db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    db.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 60_000);
