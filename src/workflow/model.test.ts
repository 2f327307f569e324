import { describe, expect, test } from "bun:test";
import { nearest } from "../base/nearest.ts";
import { escapeToken, joinPointer, pointerTokens, valueAt } from "../base/pointer.ts";
import { durationMs } from "./duration.ts";
import { featuresOf, unsupportedFeatures } from "./features.ts";
import { callKind, isCall, isTask, kindOf, runKind, taskKind } from "./kind.ts";
import { loadDocument } from "./load.ts";
import { DIALECT, HEADER } from "./testing/documents.ts";
import { walkTasks } from "./walk.ts";

const dialect = loadDocument(DIALECT, { mode: "light" }).document;
const NESTED = loadDocument(
  `${HEADER}use:
  functions: { f: { do: [{ inF: { wait: PT1S } }] } }
  extensions: [{ log: { extend: all, before: [{ b: { wait: PT1S } }], after: [{ c: { wait: PT1S } }] } }]
do:
- try/it:
    try: [{ t: { fork: { branches: [{ p: { wait: PT1S } }, { q: { wait: PT1S } }] } } }]
    catch: { do: [{ h: { for: { in: .a }, do: [{ e: { wait: PT1S } }] } }] }
- l: { listen: { to: { any: [] } }, foreach: { do: [{ m: { wait: PT1S } }] } }
- s:
    call: asyncapi
    with:
      document: { endpoint: "https://a.b" }
      operation: o
      protocol: kafka
      subscription: { consume: { amount: 1 }, foreach: { do: [{ n: { wait: PT1S } }] } }
- g: { graph: { steps: { one: { task: { do: [{ deep: { wait: PT1S } }] } } } } }
`,
  { mode: "light" },
).document;

test("every task is visited once, outermost first, at a pointer that leads to it", () => {
  const sites = [...walkTasks(NESTED)];
  expect(sites.map(({ pointer }) => pointer)).toEqual([
    "/use/functions/f",
    "/use/functions/f/do/0/inF",
    "/use/extensions/0/log/before/0/b",
    "/use/extensions/0/log/after/0/c",
    "/do/0/try~1it",
    "/do/0/try~1it/try/0/t",
    "/do/0/try~1it/try/0/t/fork/branches/0/p",
    "/do/0/try~1it/try/0/t/fork/branches/1/q",
    "/do/0/try~1it/catch/do/0/h",
    "/do/0/try~1it/catch/do/0/h/do/0/e",
    "/do/1/l",
    "/do/1/l/foreach/do/0/m",
    "/do/2/s",
    "/do/2/s/with/subscription/foreach/do/0/n",
    "/do/3/g",
    "/do/3/g/graph/steps/one/task",
    "/do/3/g/graph/steps/one/task/do/0/deep",
  ]);
  for (const { pointer, task, list, name } of sites) {
    expect(valueAt(NESTED, pointer)).toBe(task);
    if (list !== undefined) expect(joinPointer(list.pointer, list.index, name)).toBe(pointer);
  }
  expect(sites.find(({ name }) => name === "e")!.parents.map(({ name }) => name)).toEqual(["try/it", "h"]);
});

test("a task's kind comes from the key that tells it apart, for a `for` with its `do` too", () => {
  const kinds = [...walkTasks(NESTED)].map(({ task }) => taskKind(task));
  expect(new Set(kinds)).toEqual(new Set(["do", "wait", "try", "fork", "for", "listen", "call", "graph"]));
  expect(kindOf({ do: [], for: { in: "." } })).toBe("for");
  expect(kindOf({ ask: {} }, "strict")).toBeUndefined();
  expect(kindOf("set")).toBeUndefined();
  const [build] = [...walkTasks(dialect)];
  expect(isTask(build!.task, "run") && runKind(build!.task)).toBe("shell");
});

test("a call is of the kind that its name has in the mode", () => {
  const call = (name: string) => ({ call: name, with: {} }) as Parameters<typeof callKind>[0];
  expect(callKind(call("http"))).toBe("http");
  expect(callKind(call("agent"))).toBe("agent");
  expect(callKind(call("agent"), "strict")).toBe("function");
  expect(callKind(call("function"))).toBe("function");
  expect(callKind(call("toString"))).toBe("function");
  expect(isCall(call("cortex"), "cortex")).toBe(true);
});

describe("features", () => {
  test("a document names what it needs, each where it stands", () => {
    expect([...featuresOf(NESTED)].map(({ feature }) => feature)).toContain("call.asyncapi.kafka");
    expect(new Set([...featuresOf(dialect)].map(({ feature }) => feature))).toEqual(
      new Set([
        "run.shell",
        "assert",
        "ask",
        "graph",
        "set",
        "do",
        "wait",
        "call.agent",
        "call.agent-service",
        "call.cortex",
      ]),
    );
    const { document } = loadDocument(
      `${HEADER}schedule: { cron: "0 0 * * *" }
use: { extensions: [{ x: { extend: all } }], secrets: [k] }
input: { schema: { resource: { endpoint: "https://a.b" } } }
output: { schema: { format: avro, document: {} } }
do:
- a: { run: { container: { image: x }, await: false } }
- b: { call: "https://a.b/f" }
- c: { call: "f:1.0.0@default" }
- d: { call: http, with: { method: get, endpoint: { uri: "https://a.b", authentication: { bearer: { use: k } } } } }
`,
      { mode: "strict" },
    );
    expect(
      [...featuresOf(document, "strict")].map(({ feature, pointer }) => `${feature} ${pointer}`),
    ).toEqual([
      "schedule.cron /schedule/cron",
      "extension /use/extensions/0/x",
      "run.container /do/0/a",
      "run.detached /do/0/a",
      "call.function /do/1/b",
      "function.url /do/1/b",
      "call.function /do/2/c",
      "function.catalog /do/2/c",
      "call.http /do/3/d",
      "authentication.bearer /do/3/d/with/endpoint/authentication/bearer",
      "authentication.secret /do/3/d/with/endpoint/authentication/bearer",
      "schema.resource /input/schema",
      "schema.format /output/schema/format",
    ]);
  });

  test("what a build lacks is refused by name and place", () => {
    const supported = new Set(["run.shell", "assert", "set", "do", "wait", "graph", "ask", "call.agent"]);
    expect(
      unsupportedFeatures(dialect, supported).map(({ pointer, message }) => `${pointer}: ${message}`),
    ).toEqual([
      "/do/6/service: `call.agent-service` is not supported by this build",
      "/do/7/exchange: `call.cortex` is not supported by this build",
    ]);
  });
});

test("durations come to milliseconds, expressions are left to the caller", () => {
  expect(durationMs("PT30S")).toBe(30_000);
  expect(durationMs("PT0.25S")).toBe(250);
  expect(durationMs("P1DT2H3M4.5S")).toBe(((24 + 2) * 60 + 3) * 60_000 + 4500);
  expect(durationMs("P2W")).toBe(14 * 86_400_000);
  expect(durationMs("P1Y1M")).toBe(395 * 86_400_000);
  expect(durationMs({ minutes: 1, seconds: -10, milliseconds: 5 })).toBe(50_005);
  expect(durationMs({ seconds: -1 })).toBe(0);
  expect(durationMs({ days: Number.MAX_SAFE_INTEGER })).toBe(Number.MAX_SAFE_INTEGER);
  for (const text of ["P", "PT", "30s", "${ .a }", ""]) expect(durationMs(text)).toBeUndefined();
});

test("pointers escape and find again what they escaped", () => {
  expect(escapeToken("a/b~c")).toBe("a~1b~0c");
  expect(pointerTokens(joinPointer("", "a/b", 0, "~1", ""))).toEqual(["a/b", "0", "~1", ""]);
  const value = { "a/b": [{ "": 1 }], own: null };
  expect(valueAt(value, "/a~1b/0/")).toBe(1);
  expect(valueAt(value, "")).toBe(value);
  expect(valueAt(value, "/own")).toBeNull();
  for (const pointer of ["/toString", "/a~1b/00", "/a~1b/length", "/own/x"])
    expect(valueAt(value, pointer)).toBeUndefined();
});

test("the nearest word is near enough to have been meant, or none", () => {
  const words = ["method", "endpoint", "headers", "body"];
  expect(nearest("methd", words)).toBe("method");
  expect(nearest("endpiont", words)).toBe("endpoint");
  expect(nearest("Body", words)).toBe("body");
  expect(nearest("colour", words)).toBeUndefined();
  expect(nearest("", words)).toBeUndefined();
});
