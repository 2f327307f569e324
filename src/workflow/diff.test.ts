import { expect, test } from "bun:test";
import type { Json } from "../base/json.ts";
import { diffDocuments } from "./diff.ts";

test("tasks are compared by their name: added, removed, moved, changed", () => {
  const before: Json = { do: [{ a: { set: { n: 1 } } }, { b: { wait: "PT1S" } }, { c: { set: {} } }] };
  const after: Json = {
    do: [{ b: { wait: "PT2S" } }, { a: { set: { n: 1 } } }, { d: { set: {} } }],
    extra: true,
  };
  expect(diffDocuments(before, after)).toEqual([
    { pointer: "/do/1/a", change: "moved" },
    { pointer: "/do/0/b", change: "moved" },
    { pointer: "/do/0/b/wait", change: "changed", before: "PT1S", after: "PT2S" },
    { pointer: "/do/2/c", change: "removed", before: { set: {} } },
    { pointer: "/do/2/d", change: "added", after: { set: {} } },
    { pointer: "/extra", change: "added", after: true },
  ]);
  expect(diffDocuments(before, structuredClone(before))).toEqual([]);
});

test("other lists are compared by position, and the order of keys is no difference", () => {
  expect(diffDocuments({ a: [1, 2], b: { x: 1, y: 2 } }, { b: { y: 2, x: 1 }, a: [1, 3, 4] })).toEqual([
    { pointer: "/a/1", change: "changed", before: 2, after: 3 },
    { pointer: "/a/2", change: "added", after: 4 },
  ]);
});
