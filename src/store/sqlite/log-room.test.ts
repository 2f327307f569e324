import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Operation } from "../operation.ts";
import { Store } from "../store.ts";

const note: Operation<string, void> = (tx, key) => {
  tx.run("INSERT INTO setting (key, value) VALUES (?, ?)", key, "x".repeat(20_000));
};

const keysOf = (path: string): string[] => {
  const db = new Database(path, { readonly: true });
  try {
    expect(db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    return db
      .query<{ key: string }, []>("SELECT key FROM setting WHERE length(value) = 20000 ORDER BY key")
      .all()
      .map(({ key }) => key);
  } finally {
    db.close();
  }
};

test("the log has room beyond its end, and what two writers put there in turns is all found after a kill", async () => {
  const directory = mkdtempSync(join(tmpdir(), "room-"));
  const path = join(directory, "store.db");
  const stores = [Store.open(path), Store.open(path)];
  try {
    const keys: string[] = [];
    for (let round = 0; round < 120; round++) {
      for (const [at, store] of stores.entries()) {
        const key = `${String(round).padStart(3, "0")} ${at}`;
        await store.write(note, key);
        keys.push(key);
      }
    }
    const copy = join(directory, "copy.db");
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, copy + suffix);
    expect(keysOf(copy)).toEqual(keys);
    const looking = new Database(path, { readonly: true });
    const { log } = looking.query<{ log: number }, []>("PRAGMA wal_checkpoint(NOOP)").get()!;
    looking.close();
    const room = statSync(`${path}-wal`).size - log * 4120;
    expect(room).toBeGreaterThan(0);
    expect(room).toBeLessThan(5 * 2 ** 20);
  } finally {
    for (const store of stores) await store.close();
    expect(keysOf(path)).toHaveLength(240);
    rmSync(directory, { recursive: true, force: true });
  }
});
