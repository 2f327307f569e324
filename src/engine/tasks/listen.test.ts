import { expect, test } from "bun:test";
import { Drive } from "../../../test/support/engine-drive.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { correlationOf } from "./event-filter.ts";

let sent = 0;
const event = (type: string, data: Json = null, more: JsonObject = {}): JsonObject => ({
  specversion: "1.0",
  id: `e${++sent}`,
  source: "/test",
  type,
  data,
  ...more,
});

const listening = (to: Json, more: JsonObject = {}, after: JsonObject[] = [], input: Json = {}) =>
  new Drive([{ l: { listen: { to, ...more } } }, ...after], input);

const hear = (drive: Drive, ...events: JsonObject[]): Drive => {
  for (const each of events) drive.put({ kind: "event", effect: drive.effect("listen", 0).id, event: each });
  return drive;
};

test("one takes the first event that fits, and asks only for its type", () => {
  const drive = listening({ one: { with: { type: "a.b" } } });
  expect(drive.effect("listen").filters).toEqual([{ type: "a.b", from: "", value: "" }]);
  hear(drive, event("a.c", 1), event("a.b", 2));
  expect(drive.instance).toMatchObject({ status: "completed", output: [2] });
  drive.expectFold();
});

test("all takes one event for each filter, in any order", () => {
  const to: Json = { all: [{ with: { type: "a" } }, { with: { type: "b", data: "${ .n > 3 }" } }] };
  const drive = hear(listening(to), event("b", { n: 1 }), event("b", { n: 4 }), event("b", { n: 5 }));
  expect(drive.instance.status).toBe("waiting");
  hear(drive, event("a", "x"));
  expect(drive.instance.output).toEqual([{ n: 4 }, "x"]);
});

test("any takes the first of several; attributes may be regular expressions of the whole text", () => {
  const drive = listening({
    any: [{ with: { type: "x" } }, { with: { type: "t.(one|two)", source: "/t.*" } }],
  });
  expect(new Set(drive.effect("listen").filters.map(({ type }) => type))).toContain("");
  hear(drive, event("t.one.more"), event("t.two", "yes"));
  expect(drive.instance.output).toEqual(["yes"]);
});

test("any until an expression consumes every event until it is true", () => {
  const drive = hear(listening({ any: [], until: "( . | length ) > 2" }), event("a", 1), event("b", 2));
  expect(drive.instance.status).toBe("waiting");
  expect(hear(drive, event("c", 3)).instance.output).toEqual([1, 2, 3]);
});

test("any until other events ends with them, without consuming them", () => {
  const to = { any: [{ with: { type: "a" } }], until: { one: { with: { type: "end" } } } };
  const drive = hear(listening(to), event("a", 1), event("other"), event("a", 2), event("end"));
  expect(drive.instance.output).toEqual([1, 2]);
});

test("correlated events share a value: the first one's, or what `expect` says", () => {
  const one = (type: string) => ({ with: { type }, correlate: { room: { from: ".roomid" } } });
  const first = listening({ all: [one("t"), one("h")] });
  hear(
    first,
    event("t", 20, { roomid: "A" }),
    event("h", 50, { roomid: "B" }),
    event("h", 60, { roomid: "A" }),
  );
  expect(first.instance.output).toEqual([20, 60]);
  const expected = {
    one: { with: { type: "t" }, correlate: { room: { from: ".roomid", expect: "${ .room }" } } },
  };
  const drive = listening(expected, {}, [], { room: "Z" });
  hear(drive, event("t", 1, { roomid: "A" }), event("t"), event("t", 2, { roomid: "Z" }));
  expect(drive.instance.output).toEqual([2]);
});

test("read gives the data, the whole event, or the data as text", () => {
  const read = (mode: string) =>
    hear(listening({ one: { with: { type: "a" } } }, { read: mode }), event("a", { n: 1 })).instance.output;
  expect(read("data")).toEqual([{ n: 1 }]);
  expect(read("envelope")).toMatchObject([{ type: "a", source: "/test", data: { n: 1 } }]);
  expect(read("raw")).toEqual(['{"n":1}']);
});

test("foreach runs its list for each event, one after another, and gives what the iterations gave", () => {
  const drive = new Drive([
    {
      l: {
        listen: { to: { any: [{ with: { type: "a" } }], until: { one: { with: { type: "end" } } } } },
        foreach: {
          item: "got",
          at: "i",
          do: [{ w: { wait: { seconds: 1 } } }, { s: { set: { twice: "${ $got * 2 }", i: "${ $i }" } } }],
          output: { as: "${ .twice + $i }" },
          export: { as: "${ {last: .} }" },
        },
      },
    },
    { after: { set: "${ {sum: add, context: $context} }" } },
  ]);
  hear(drive, event("a", 10), event("a", 20), event("end"));
  expect(drive.steps).toEqual(["l", "w"]);
  drive.fire().fire();
  expect(drive.instance.output).toEqual({ sum: 61, context: { last: 41 } });
  drive.expectFold();
});

test("a listening task that ends takes its subscription back", () => {
  const drive = new Drive([
    { l: { timeout: { after: { seconds: 1 } }, listen: { to: { one: { with: { type: "a" } } } } } },
  ]);
  const { id } = drive.effect("listen");
  drive.fire();
  expect(drive.instance.error).toMatchObject({ status: 408 });
  expect(drive.effects).toContainEqual({ kind: "cancel", id });
});

test("a correlation that is known from the beginning is asked for, one that may change is not", () => {
  const filtersOf = (correlate: JsonObject, input: Json = { n: 7 }) =>
    new Drive([{ l: { listen: { to: { one: { with: { type: "go" }, correlate } } } } }], input).effect(
      "listen",
    ).filters[0]!;
  const from = "${ .data.order }";
  expect(filtersOf({ order: { from, expect: "${ .n }" } })).toEqual({ type: "go", from, value: "7" });
  expect(filtersOf({ order: { from, expect: "seven" } })).toMatchObject({ from, value: '"seven"' });
  expect(filtersOf({ order: { from, expect: "x".repeat(100) } }).value).toHaveLength(64);
  const unknown = { type: "go", from: "", value: "" };
  expect(filtersOf({ order: { from } })).toEqual(unknown);
  expect(filtersOf({ order: { from, expect: "${ $context.n }" } })).toEqual(unknown);
  expect(filtersOf({ order: { from: "${ .data.order + $workflow.id }", expect: 1 } })).toEqual(unknown);
  expect(filtersOf({ order: { from, expect: "${ error }" } })).toEqual(unknown);
  expect(correlationOf(from, { data: { order: 7 } })).toBe("7");
  expect(correlationOf(from, { data: {} })).toBeNull();
  expect(correlationOf(from, { data: "text" })).toBeUndefined();
});

test("a task that listens for ever keeps nothing of what it has done", () => {
  const drive = new Drive([
    {
      l: {
        listen: { to: { any: [{ with: { type: "a" } }], until: "${ false }" } },
        foreach: {
          item: "got",
          at: "at",
          do: [{ s: { set: { n: "${ [$got, $at] }" }, export: { as: "${ .n }" } } }],
        },
      },
    },
  ]);
  const listens = drive.effect("listen").id;
  const hear = (data: number) =>
    drive.put({ kind: "event", effect: listens, event: { type: "a", source: "/t", id: `${data}`, data } });
  for (let n = 0; n < 20; n++) hear(n);
  const size = drive.snapshot.length;
  for (let n = 20; n < 90; n++) hear(n);
  expect(drive.instance.context).toEqual([89, 89]);
  expect(drive.snapshot.length - size).toBeLessThan(10);
  drive.expectFold();
});
