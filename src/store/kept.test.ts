import { expect, test } from "bun:test";
import { changedBy, keep, keptOr, newKept } from "./kept.ts";

test("a statement changes what it names, unless it only looks or keeps the rows itself", () => {
  expect(changedBy("SELECT id FROM lease JOIN request ON request.id = lease.request_id")).toEqual([]);
  expect(changedBy("WITH RECURSIVE filled (id) AS (SELECT 1) SELECT id FROM filled JOIN request")).toEqual(
    [],
  );
  expect(changedBy("UPDATE lease SET state = 'expired' WHERE id = ?")).toEqual(["lease"]);
  // What is kept of a lease says what its request says.
  expect(changedBy("UPDATE request SET state = 'cancelled' WHERE id = ?")).toEqual(["lease"]);
  expect(changedBy("UPDATE /* kept */ request SET state = 'satisfied' WHERE id = ?")).toEqual([]);
  expect(changedBy("INSERT INTO event (instance_id, lines) VALUES (?, ?)")).toEqual([]);
  expect(changedBy("DELETE FROM instance WHERE id = ?")).toEqual(["instance"]);
  expect(changedBy("WITH old AS (SELECT id FROM instance) DELETE FROM webhook")).toEqual([
    "instance",
    "webhook",
  ]);
});

test("a row is read once, and again where nothing is kept", () => {
  const { lease } = newKept();
  let reads = 0;
  const read = () => ++reads;
  expect([keptOr(lease, "one", read), keptOr(lease, "one", read)]).toEqual([1, 1]);
  expect([keptOr(undefined, "one", read), keptOr(undefined, "one", read)]).toEqual([2, 3]);
});

test("what is kept of a table has an end", () => {
  const { instance } = newKept();
  for (let at = 0; at < 20_000; at++) keep(instance, at, {});
  expect(instance.size).toBeLessThanOrEqual(4096);
  expect(instance.has(19_999)).toBe(true);
});
