import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TaskBook } from "./task-book.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lightflow-book-"));
  path = join(directory, "agents", "a.db");
});
afterEach(() => rmSync(directory, { recursive: true }));

const NOW = Date.now();
const DAY = 86_400_000;
const USAGE = { turns: 1, inputTokens: 1, outputTokens: 1, costMicros: null };
const begin = (book: TaskBook, id: string, now = NOW) =>
  book.begin({
    id,
    messageId: `m-${id}`,
    messageDigest: "d",
    agent: "a",
    contextId: "c",
    work: { message: { parts: [] }, history: [] },
    now,
  });
const end = (book: TaskBook, id: string, now = NOW, output = "x", session: string | null = null) =>
  book.end(
    id,
    { state: "completed", said: "", outcome: { output, usage: USAGE }, now },
    session === null ? null : { id: session, messages: [{ role: "user", content: "x" }] },
  );

test("the first end counts, and what was asked is forgotten with it", () => {
  const book = new TaskBook(path);
  begin(book, "1");
  book.callsTool("1", 0, "d");
  expect(book.toolCall("1", 0)).toEqual({ digest: "d", result: null });
  expect(book.unfinished().map(({ id }) => id)).toEqual(["1"]);
  expect(end(book, "1", NOW, "x", "c")).toBe(true);
  expect(end(book, "1", NOW, "y")).toBe(false);
  expect(book.begunBy("m-1")).toMatchObject({ state: "completed", work: null, outcome: { output: "x" } });
  expect([book.unfinished(), book.toolCall("1", 0), book.session("c").length]).toEqual([[], null, 1]);
  book.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, "agents")).mode & 0o777).toBe(0o700);
});

test("ended tasks go by age and by size, the oldest first; those that are worked on stay", () => {
  const book = new TaskBook(path);
  begin(book, "working", NOW - 30 * DAY);
  begin(book, "old", NOW - 8 * DAY);
  end(book, "old", NOW - 8 * DAY, "x", "old talk");
  begin(book, "new");
  end(book, "new", NOW, "x", "talk");
  expect([book.find("old"), book.find("new")?.id, book.find("working")?.id]).toEqual([
    null,
    "new",
    "working",
  ]);
  expect(book.session("old talk")).toHaveLength(1);
  begin(book, "later", NOW + 31 * DAY);
  end(book, "later", NOW + 31 * DAY, "x", "later talk");
  expect([book.session("old talk"), book.session("later talk").length]).toEqual([[], 1]);
  const large = "x".repeat(16 * 1024 * 1024);
  for (const id of ["a", "b", "c", "d"]) {
    begin(book, id, NOW + 31 * DAY);
    end(book, id, NOW + 31 * DAY, large);
  }
  expect(["later", "a", "b", "c", "d"].filter((id) => book.find(id) !== null)).toEqual(["b", "c", "d"]);
  expect(book.find("working")?.state).toBe("working");
  book.close();
});

test("one process has the file; another's and a newer one's are refused and left as they are", () => {
  const book = new TaskBook(path);
  expect(() => new TaskBook(path)).toThrow("another process serves from");
  book.close();
  const bytes = Buffer.from(readFileSync(path));
  // The version and the owner stand in the header of the file.
  for (const [at, why] of [
    [60, "has schema"],
    [68, "is not a file of an agent's service"],
  ] as const) {
    const other = Buffer.from(bytes);
    other.writeUInt32BE(99, at);
    writeFileSync(path, other);
    expect(() => new TaskBook(path)).toThrow(why);
    expect(Buffer.from(readFileSync(path)).readUInt32BE(at)).toBe(99);
  }
});
