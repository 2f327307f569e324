import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changedFiles, recordBase } from "./changes.ts";

const box = mkdtempSync(join(tmpdir(), "changed files "));
afterAll(() => rmSync(box, { recursive: true, force: true }));
let count = 0;

/** A workspace with some files, and the directory of a lease. */
function workspace(...paths: string[]) {
  const root = join(box, String(count++));
  const work = join(root, "work");
  const lease = join(root, "lease");
  for (const path of [work, lease]) mkdirSync(path, { recursive: true });
  const put = (path: string, text: string) => {
    mkdirSync(join(work, path, ".."), { recursive: true });
    writeFileSync(join(work, path), text);
  };
  for (const path of paths) put(path, "before");
  recordBase(work, lease);
  return { work, put, changed: () => changedFiles(work, lease) };
}

test("what is new, changed or gone is named, and what stayed is not", () => {
  const { work, put, changed } = workspace("a", "dir/b", "dir/c", "stays", "__proto__");
  expect(changed()).toEqual([]);
  put("a", "after!");
  put("new/deep", "x");
  rmSync(join(work, "dir/b"));
  renameSync(join(work, "dir/c"), join(work, "dir/d"));
  expect(changed()).toEqual(["a", "dir/b", "dir/c", "dir/d", "new/deep"]);
});

test("a change of the same size with its time set back is seen", () => {
  const { work, put, changed } = workspace("a");
  put("a", "BEFORE");
  utimesSync(join(work, "a"), 0, 0);
  expect(changed()).toEqual(["a"]);
});

test("links are not followed, and what version control keeps is left out", () => {
  const { work, put, changed } = workspace();
  mkdirSync(join(box, "outside"));
  writeFileSync(join(box, "outside/secret"), "x");
  symlinkSync(join(box, "outside"), join(work, "out"));
  put(".git/objects/1", "x");
  put("sub/.git/HEAD", "x");
  put("seen", "x");
  expect(changed()).toEqual(["seen"]);
});

test("more files than a result may name are cut off", () => {
  const { put, changed } = workspace();
  for (let index = 0; index < 4_200; index++) put(`f${String(index).padStart(4, "0")}`, "");
  const named = changed();
  expect(named).toHaveLength(4_096);
  expect(named.at(-1)).toBe("f4095");
});
