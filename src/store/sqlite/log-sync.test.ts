import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogSync } from "./log-sync.ts";

const synced = (sync: LogSync) => new Promise<Error | null>((resolve) => sync.after(resolve));

test("each commit is answered by a sync that began after it; those that come together share one", async () => {
  const directory = mkdtempSync(join(tmpdir(), "log-sync-"));
  const path = join(directory, "a.db");
  const db = new Database(path, { create: true, strict: true });
  db.run("PRAGMA journal_mode = WAL");
  db.run("CREATE TABLE t (x)");
  const sync = new LogSync(path);
  const order: string[] = [];
  const all = ["first", "second", "third"].map((name) => synced(sync).then(() => order.push(name)));
  expect(sync.idle).toBe(false);
  await Promise.all(all);
  expect(order).toEqual(["first", "second", "third"]);
  expect(sync.idle).toBe(true);
  expect(await synced(sync)).toBeNull();
  sync.close();
  db.close();
  rmSync(directory, { recursive: true });
});

test("a log that cannot be synced is told to everyone who waits for it", async () => {
  const sync = new LogSync("/nowhere/store.db");
  expect(await Promise.all([synced(sync), synced(sync)])).toEqual([expect.any(Error), expect.any(Error)]);
  expect(sync.idle).toBe(true);
});
