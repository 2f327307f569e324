import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import type { Json, JsonObject } from "../base/json.ts";
import { diagnosticText } from "./diagnostic.ts";
import { explain } from "./explain.ts";
import { Document } from "./schema/index.ts";
import { DIALECT, diagnostics } from "./testing/documents.ts";
import { mutate, seeded } from "./testing/mutate.ts";
import { admits, schemaDiagnostics } from "./validate.ts";

const said = (task: string) =>
  diagnostics(`do: [{ a: ${task} }]`).map((diagnostic) => {
    const { line: _line, column: _column, ...rest } = diagnostic;
    return diagnosticText(rest).replace("/do/0/a", "");
  });

describe("a message names the one thing that was meant", () => {
  const cases: Record<string, string[]> = {
    "{ sett: { b: 1 } }": [": the task has no known type (did you mean `set`?)"],
    "{ set: { b: 1 }, thn: end }": ["/thn: unknown property `thn` (did you mean `then`?)"],
    "{ wait: { second: 1 } }": ["/wait/second: unknown property `second` (did you mean `seconds`?)"],
    "{ call: http, with: { methd: get, endpoint: 'https://a.b' } }": [
      "/with: `method` is missing (`methd` was written)",
      "/with/methd: unknown property `methd` (did you mean `method`?)",
    ],
    "{ run: { shell: { command: x }, container: { image: y } } }": [
      "/run/container: `container` cannot stand beside `shell`",
    ],
    "{ listen: { to: { one: { with: { type: x } }, all: [] } } }": [
      "/listen/to/one: `one` cannot stand beside `all`",
    ],
    "{ fork: { branches: [{ x: { set: {} } }] } }": [
      "/fork/branches/0/x/set: must have at least 1 key, not 0",
    ],
    "{ do: [{ x: { set: { a: 1 } }, y: { set: { a: 1 } } }] }": ["/do/0: must have exactly one key, not 2"],
    "{ call: mcp, with: { method: tools/cal, transport: { stdio: { command: x } } } }": [
      '/with/method: must be "tools/list" or "tools/call" or "prompts/list" or "prompts/get" or "resources/list" or "resources/read" or "resources/templates/list", not "tools/cal" (did you mean "tools/call"?)',
    ],
    "{ emit: { event: { with: { type: 7 } } } }": [
      '/emit/event/with/type: must be a string, not the number 7 (quote it: "7")',
    ],
    "{ try: [], catch: { errors: { with: { status: '404' } } } }": [
      '/catch/errors/with/status: must be a whole number, not the string "404"',
    ],
    "{ call: grpc, with: { proto: { endpoint: 'https://a.b' }, service: { name: s, host: h, port: 70000 }, method: m } }":
      ["/with/service/port: must be at most 65535, not 70000"],
    "{ call: cortex, with: { target: { kind: tool, thread: x }, body: 1 } }": [
      "/with/target: `tool` is missing",
      "/with/target/thread: `thread` cannot stand beside `tool`",
    ],
    "{ run: { container: { image: x, lifetime: { cleanup: eventually } } } }": [
      "/run/container/lifetime: `after` is missing",
    ],
    "{ run: { container: { image: x, lifetime: { cleanup: always, after: PT1S } } } }": [
      "/run/container/lifetime/after: `after` stands only beside `cleanup: eventually`",
    ],
    "{ assert: [] }": ["/assert: must have at least 1 item"],
    "[]": [": must be a task (an object), not a list"],
  };
  for (const [task, expected] of Object.entries(cases))
    test(task, () => expect(said(task)).toEqual(expected));
});

test("a version that YAML reads as a number says to quote it", () => {
  const found = explain(
    Document,
    { document: { dsl: "1.0.3", namespace: "a", name: "b", version: 1.5 }, do: [] },
    "light",
  );
  expect(found).toEqual([
    {
      code: "wrong_type",
      severity: "error",
      pointer: "/document/version",
      message: 'must be a semantic version such as "1.0.0", not the number 1.5',
      hint: 'quote it: "1.5"',
    },
  ]);
});

test("a document with a fault in every task reports the first hundred", () => {
  const tasks = Array.from({ length: 500 }, (_, index) => ({ [`t${index}`]: { wait: index } }));
  expect(explain(Document, { document: {}, do: tasks }, "light")).toHaveLength(100);
});

test("over mutations of the dialect, what TypeBox refuses has an explanation and the rest has none", () => {
  const original = parse(DIALECT) as Json;
  const random = seeded(99);
  let admitted = 0;
  for (let index = 0; index < 1500; index++) {
    const document = mutate(original, [original], random);
    const found = explain(Document, document, "light");
    const matches = admits(document, "light");
    if (matches) admitted++;
    if (matches !== (found.length === 0)) expect({ document, found }).toBeUndefined();
  }
  expect(admitted).toBeGreaterThan(100);
  expect(admitted).toBeLessThan(1400);
});

test("a wrong leaf under nested `for` tasks, which look like `do` tasks too, is found in one visit of each", () => {
  let task: Json = { wait: 1 };
  for (let depth = 0; depth < 40; depth++) task = { for: { in: "." }, do: [{ a: task }] };
  const found = schemaDiagnostics({ ...(parse(DIALECT) as JsonObject), do: [{ a: task }] }, "light");
  expect(found.map(({ code }) => code)).toEqual(["wrong_type"]);
});
