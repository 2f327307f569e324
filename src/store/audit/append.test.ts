import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Store } from "../store.ts";
import { appendAudit } from "./append.ts";
import { prunableThrough, pruneAudit } from "./prune.ts";
import { listAudit, verifyAudit } from "./read.ts";

const directory = mkdtempSync(join(tmpdir(), "audit-"));
afterAll(() => rmSync(directory, { recursive: true }));

const entry = (action: string) => ({
  tenantId: "t",
  now: 1,
  actor: "a",
  action,
  object: "o",
  body: { n: 1 },
});

test("two processes that append in turns make one chain without gaps", async () => {
  const path = join(directory, "two.db");
  const [one, two] = [Store.open(path), Store.open(path)];
  for (let round = 0; round < 5; round++) {
    await one.write(appendAudit, entry(`one-${round}`));
    await one.write(appendAudit, entry(`one-again-${round}`));
    await two.write(appendAudit, entry(`two-${round}`));
  }
  expect(one.read(verifyAudit, { tenantId: "t" })).toEqual({ rows: 15, brokenAt: null });
  expect(one.read(listAudit, { tenantId: "t", after: 12, limit: 9 }).map(({ action }) => action)).toEqual([
    "one-4",
    "one-again-4",
    "two-4",
  ]);
  await one.close();
  await two.close();
});

test("an entry whose operation is rolled back leaves the chain as it was", async () => {
  const store = Store.open(join(directory, "back.db"));
  await store.write(appendAudit, entry("first"));
  const refused = store.write((tx) => {
    appendAudit(tx, entry("lost"));
    throw new Error("no");
  }, null);
  await expect(refused).rejects.toThrow("no");
  await store.write(appendAudit, entry("second"));
  expect(store.read(verifyAudit, { tenantId: "t" })).toEqual({ rows: 2, brokenAt: null });
  await store.close();
});

test("a changed, removed or reordered row is found", async () => {
  for (const tamper of [
    "UPDATE audit SET actor = 'other' WHERE seq = 2",
    "DELETE FROM audit WHERE seq = 2",
    "UPDATE audit SET seq = CASE seq WHEN 2 THEN 30 WHEN 3 THEN 2 ELSE seq END; UPDATE audit SET seq = 3 WHERE seq = 30",
  ]) {
    const path = join(directory, `${Bun.hash(tamper)}.db`);
    const store = Store.open(path);
    for (const action of ["a", "b", "c", "d"]) await store.write(appendAudit, entry(action));
    await store.close();
    const raw = new Database(path);
    raw.run("DROP TRIGGER audit_no_update");
    raw.run("DROP TRIGGER audit_no_delete");
    raw.run(tamper);
    raw.close();
    const again = Store.open(path);
    expect(again.read(verifyAudit, { tenantId: "t" }).brokenAt).toBe(2);
    await again.close();
  }
});

test("rows that are cut off the end are missed", async () => {
  const path = join(directory, "cut.db");
  const store = Store.open(path);
  await Promise.all(["a", "b", "c", "d"].map((action) => store.write(appendAudit, entry(action))));
  await store.close();
  const raw = new Database(path);
  raw.run("DROP TRIGGER audit_no_delete");
  raw.run("DELETE FROM audit WHERE seq > 2");
  raw.close();
  const again = Store.open(path);
  expect(again.read(verifyAudit, { tenantId: "t" })).toEqual({ rows: 2, brokenAt: 3 });
  await again.close();
});

test("what was pruned is gone, what is left verifies from its anchor, and nothing else can be removed", async () => {
  const store = Store.open(join(directory, "prune.db"));
  for (const now of [1, 2, 3, 4]) await store.write(appendAudit, { ...entry("x"), now });
  const through = store.read(prunableThrough, { tenantId: "t", before: 3 })!;
  expect(through.seq).toBe(2);
  await store.write(pruneAudit, { tenantId: "t", through: 2, artifact: "sha", actor: "me", now: 9 });
  expect(store.read(listAudit, { tenantId: "t", after: 0, limit: 9 }).map(({ seq }) => seq)).toEqual([
    3, 4, 5,
  ]);
  expect(store.read(verifyAudit, { tenantId: "t" })).toEqual({ rows: 3, brokenAt: null });
  await expect(store.write((tx) => tx.run("DELETE FROM audit"), null)).rejects.toThrow("append-only");
  await store.write(pruneAudit, { tenantId: "t", through: 5, artifact: "sha", actor: "me", now: 9 });
  await store.write(appendAudit, entry("after"));
  expect(store.read(verifyAudit, { tenantId: "t" })).toEqual({ rows: 2, brokenAt: null });
  await store.close();
});
