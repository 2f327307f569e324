import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../test/support/until.ts";
import { Store } from "./store.ts";

const directory = mkdtempSync(join(tmpdir(), "store-"));
afterAll(() => rmSync(directory, { recursive: true }));
let count = 0;
const open = () => Store.open(join(directory, `${count++}.db`));

const put = (tx: import("./operation.ts").Transaction, pair: [string, string]) =>
  tx.run("INSERT INTO setting (key, value) VALUES (?, ?)", ...pair);
const size = (tx: Pick<import("./operation.ts").Transaction, "get">) =>
  tx.get<{ n: number }>("SELECT count(*) AS n FROM setting")!.n;

test("operations of one turn share a commit, and one that fails leaves the others", async () => {
  const store = open();
  const outcomes = await Promise.allSettled([
    store.write(put, ["a", "1"]),
    store.write((tx) => {
      put(tx, ["b", "2"]);
      throw new Error("no");
    }, null),
    store.write(put, ["a", "again"]),
    store.write(put, ["c", "3"]),
  ]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual([
    "fulfilled",
    "rejected",
    "rejected",
    "fulfilled",
  ]);
  expect(store.read(size, null)).toBe(2);
  await store.close();
});

test("listeners hear after the commit, and only of operations that stayed", async () => {
  const store = open();
  const heard: string[] = [];
  store.listen((topic, keys) => heard.push(`${topic}:${[...keys].join()}:${store.read(size, null)}`));
  await store.write((tx) => {
    put(tx, ["x", "1"]);
    tx.notify("event", "run-1");
  }, null);
  expect(heard).toEqual(["event:run-1:1"]);
  await store.close();
});

test("F49: a batch waits for another process's lock without blocking the event loop, then commits", async () => {
  const store = open();
  const other = new Database(store.path);
  other.run("BEGIN IMMEDIATE");
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  const written = store.write(put, ["late", "1"]);
  // A loop that stood still would wait for a lock that nobody lets go.
  await until(() => turns > 5);
  other.run("COMMIT");
  other.close();
  await written;
  clearInterval(ticking);
  expect(store.read(size, null)).toBe(1);
  await store.close();
});

test("commits of another process are noticed, one's own are not", async () => {
  const store = open();
  await store.write(put, ["own", "1"]);
  expect(store.changedElsewhere()).toBe(false);
  const other = Store.open(store.path);
  await other.write(put, ["foreign", "1"]);
  expect(store.changedElsewhere()).toBe(true);
  expect(store.changedElsewhere()).toBe(false);
  await other.close();
  await store.close();
});

test("a store of a newer schema is refused and not touched", async () => {
  const store = open();
  await store.close();
  const raw = new Database(store.path);
  raw.run("PRAGMA user_version = 9999");
  raw.close();
  const before = Bun.SHA256.hash(await Bun.file(store.path).bytes(), "hex");
  expect(() => Store.open(store.path)).toThrow("has schema 9999");
  expect(Bun.SHA256.hash(await Bun.file(store.path).bytes(), "hex")).toBe(before);
});

test("a database of another program is refused", () => {
  const path = join(directory, "foreign.db");
  const raw = new Database(path);
  raw.run("CREATE TABLE mine (a)");
  raw.close();
  expect(() => Store.open(path)).toThrow("is not a LightFlow store");
});

test("events, inputs, definitions, results and audit rows cannot be changed", async () => {
  const store = open();
  await store.write((tx) => {
    tx.run("INSERT INTO event (instance_id, last_seq, ts, lines) VALUES ('i', 1, 0, '[]')");
    tx.run("INSERT INTO audit VALUES ('t', 1, 0, 'a', 'b', 'c', '{}', '', 'h')");
    tx.run("INSERT INTO definition VALUES ('d', 'n', 'n', '1', NULL, '{}', 0)");
  }, null);
  for (const sql of [
    "UPDATE event SET lines = ''",
    "UPDATE audit SET actor = 'y'",
    "DELETE FROM audit",
    "UPDATE definition SET document = ''",
  ]) {
    await expect(store.write((tx) => tx.run(sql), null)).rejects.toThrow(/immutable|append-only/);
  }
  await store.close();
});

test("processes that open a new store at the same moment all get it", async () => {
  const path = join(directory, "race.db");
  const script = `import { Store } from ${JSON.stringify(join(import.meta.dir, "store.ts"))}; await Store.open(process.argv[1]).close();`;
  for (let round = 0; round < 3; round++) {
    const children = Array.from({ length: 4 }, () =>
      Bun.spawn([process.execPath, "-e", script, `${path}${round}`], { stdout: "ignore", stderr: "pipe" }),
    );
    const ends = await Promise.all(
      children.map(async (child) => [await child.exited, await child.stderr.text()]),
    );
    expect(ends).toEqual(children.map(() => [0, ""]));
  }
});

test("kept rows are the writer's alone, and gone with any statement that may change one, a roll back, or another process's commit", async () => {
  const store = open();
  const seen = await store.write((tx) => {
    const sizes: number[] = [];
    const after = (work: () => unknown) => {
      tx.kept.runner_session.set("claim x", {});
      work();
      sizes.push(tx.kept.runner_session.size);
    };
    after(() => tx.get("SELECT id FROM runner_session WHERE claim_hash = ?", "x"));
    after(() => tx.run("UPDATE runner_session SET state = 'closed' WHERE id = ?", "x"));
    after(() => tx.all("DELETE FROM runner_session WHERE id = ? RETURNING id", "x"));
    tx.kept.runner_session.set("claim x", {});
    return sizes;
  }, null);
  expect(seen).toEqual([1, 0, 0]);
  expect(store.read((tx) => "kept" in tx, null)).toBe(false);
  const refused = store.write(() => {
    throw new Error("no");
  }, null);
  await expect(refused).rejects.toThrow("no");
  expect(await store.write((tx) => tx.kept.runner_session.size, null)).toBe(0);
  // Another process may have changed anything.
  await store.write((tx) => tx.kept.lease.set("one", {}), null);
  const size = () => store.write((tx) => tx.kept.lease.size, null);
  expect(await size()).toBe(1);
  const other = Store.open(store.path);
  await other.write((tx) => tx.run("INSERT INTO setting (key, value) VALUES ('a', 'b')"), null);
  expect(await size()).toBe(0);
  await other.close();
  await store.close();
});
