import { describe, expect, test } from "bun:test";
import type { Mode } from "./schema/index.ts";
import { diagnostics } from "./testing/documents.ts";

const found = (text: string, mode: Mode = "light") =>
  diagnostics(text, mode).map(({ code, pointer }) => `${code} ${pointer}`);
const tasks = (...lines: string[]) => `do:\n${lines.map((line) => `- ${line}\n`).join("")}`;

describe("an expression that does not compile is refused where it stands", () => {
  const cases: Record<string, [text: string, pointer: string]> = {
    if: [tasks("a: { set: { x: 1 }, if: .a | }"), "/do/0/a/if"],
    "a value at depth": [tasks("a: { set: { x: [{ y: '${ .a [ }' }] } }"), "/do/0/a/set/x/0/y"],
    "a set that is one expression": [tasks("a: { set: '${ | }' }"), "/do/0/a/set"],
    when: [tasks("a: { switch: [{ b: { when: '.a ==', then: end } }] }"), "/do/0/a/switch/0/b/when"],
    while: [tasks("a: { for: { in: . }, while: '(', do: [] }"), "/do/0/a/while"],
    "for.in": [tasks("a: { for: { in: '[' }, do: [] }"), "/do/0/a/for/in"],
    "input.from": [tasks("a: { set: { x: 1 }, input: { from: '{' } }"), "/do/0/a/input/from"],
    "an input.from of parts": [
      tasks("a: { set: { x: 1 }, input: { from: { y: '${ { }' } } }"),
      "/do/0/a/input/from/y",
    ],
    "output.as": [tasks("a: { set: { x: 1 }, output: { as: '.a.' } }"), "/do/0/a/output/as"],
    "export.as": [tasks("a: { set: { x: 1 }, export: { as: '|' } }"), "/do/0/a/export/as"],
    "retry.when": [tasks("a: { try: [], catch: { retry: { when: ')' } } }"), "/do/0/a/catch/retry/when"],
    "a header": [
      tasks("a: { call: http, with: { method: get, endpoint: 'https://a.b', headers: { h: '${ ) }' } } }"),
      "/do/0/a/with/headers/h",
    ],
    until: [tasks("a: { listen: { to: { any: [], until: '. | |' } } }"), "/do/0/a/listen/to/until"],
    "correlate.from": [
      tasks("a: { listen: { to: { one: { with: { type: t }, correlate: { k: { from: '[' } } } } } }"),
      "/do/0/a/listen/to/one/correlate/k/from",
    ],
    "an event's data": [
      tasks("a: { emit: { event: { with: { type: t, source: 'https://a.b', data: { x: '${ [ }' } } } } }"),
      "/do/0/a/emit/event/with/data/x",
    ],
    "an extension attribute": [
      tasks("a: { emit: { event: { with: { type: t, source: 'https://a.b', mine: '${ [ }' } } } }"),
      "/do/0/a/emit/event/with/mine",
    ],
    "an argument of a command": [
      tasks("a: { run: { shell: { command: x, arguments: ['${ .a. }'] } } }"),
      "/do/0/a/run/shell/arguments/0",
    ],
    "a duration": [tasks("a: { wait: '${ | }' }"), "/do/0/a/wait"],
    "an assertion": [tasks("a: { assert: [{ that: '. ==' }] }"), "/do/0/a/assert/0/that"],
    "a path of an assertion": [
      tasks("a: { assert: { value: 1, json: { '.a.': { equals: 1 } } } }"),
      "/do/0/a/assert/json/.a.",
    ],
    "a constant over the budget": [tasks(`a: { set: { x: '\${ "a" * 1000000000 }' } }`), "/do/0/a/set/x"],
    "a mount of a task": [
      tasks(
        "a: { wait: PT1S, metadata: { note: '${ (', lightWorkflow: { mounts: [{ source: '${ ( }' }] } } }",
      ),
      "/do/0/a/metadata/lightWorkflow/mounts/0/source",
    ],
    "a graph step": [
      tasks("a: { graph: { steps: { s: { if: '(', task: { wait: PT1S } } } } }"),
      "/do/0/a/graph/steps/s/if",
    ],
    "a reusable credential": [
      "use: { authentications: { a: { bearer: { token: '${ ( }' } } } }\ndo: []\n",
      "/use/authentications/a/bearer/token",
    ],
    "an extension's when": [
      "use: { extensions: [{ x: { extend: all, when: '(' } }] }\ndo: []\n",
      "/use/extensions/0/x/when",
    ],
    "the workflow's output": ["output: { as: '(' }\ndo: []\n", "/output/as"],
  };
  for (const [what, [text, pointer]] of Object.entries(cases))
    test(what, () => expect(found(text)).toEqual([`expression_invalid ${pointer}`]));
});

describe("the specification's matrix of arguments", () => {
  const ARGUMENTS = ["context", "input", "output", "secrets", "authorization", "task", "workflow", "runtime"];
  /** The arguments that a place takes. */
  const taken = (place: (expression: string) => string) =>
    ARGUMENTS.filter((name) => found(place(`$${name}`)).length === 0);

  test("workflow input.from, and output.as without the secrets that the prose denies it", () => {
    expect(taken((text) => `input: { from: ${text} }\ndo: []\n`)).toEqual(["secrets", "workflow", "runtime"]);
    expect(taken((text) => `output: { as: ${text} }\ndo: []\n`)).toEqual(["context", "workflow", "runtime"]);
  });

  test("a task's if and input.from", () => {
    const before = ["context", "secrets", "task", "workflow", "runtime"];
    expect(taken((text) => tasks(`a: { set: { x: 1 }, if: ${text} }`))).toEqual(before);
    expect(taken((text) => tasks(`a: { set: { x: 1 }, input: { from: { y: '\${ ${text} }' } } }`))).toEqual(
      before,
    );
  });

  test("a task's definition, output.as and export.as", () => {
    const published = ["context", "input", "authorization", "task", "workflow", "runtime"];
    expect(taken((text) => tasks(`a: { set: { x: '\${ ${text} }' } }`))).toEqual(
      ARGUMENTS.filter((name) => name !== "output"),
    );
    expect(taken((text) => tasks(`a: { set: { x: 1 }, output: { as: ${text} } }`))).toEqual(published);
    expect(taken((text) => tasks(`a: { set: { x: 1 }, export: { as: ${text} } }`))).toEqual(
      ARGUMENTS.filter((name) => name !== "secrets"),
    );
  });

  test("secrets enter neither events nor errors", () => {
    const emitted = tasks(
      "a: { emit: { event: { with: { type: t, source: 'https://a.b', data: '${ $secrets.k }' } } } }",
    );
    expect(found(emitted)[0]).toBe("expression_invalid /do/0/a/emit/event/with/data");
    expect(diagnostics(emitted)[0]?.hint).toContain("secrets stay out");
    expect(
      found(
        tasks("a: { raise: { error: { type: 'https://a.b', status: 1, detail: '${ $secrets.k }' } } }"),
      )[0],
    ).toBe("expression_invalid /do/0/a/raise/error/detail");
  });

  test("a secret that the document does not declare is refused", () => {
    const text = (name: string) =>
      `use: { secrets: [apiKey] }\n${tasks(`a: { call: http, with: { method: get, endpoint: 'https://a.b', headers: { h: '\${ $secrets.${name} }' } } }`)}`;
    expect(found(text("apiKey"))).toEqual([]);
    expect(found(text("apiKeys"))).toEqual(["unknown_reference /do/0/a/with/headers/h"]);
    expect(diagnostics(text("apiKeys"))[0]?.hint).toBe("did you mean `apiKey`?");
    expect(found(text('["other"]'))).toEqual(["unknown_reference /do/0/a/with/headers/h"]);
  });
});

describe("variables that tasks declare", () => {
  test("are there inside, at any depth", () => {
    const text = `do:
- a:
    for: { each: pet, at: number, in: .pets }
    while: $pet.id > $number
    do:
    - b: { fork: { branches: [{ c: { set: { x: "\${ $pet + $number }" }, output: { as: "$pet" } } }] } }
- d:
    try: []
    catch:
      as: problem
      when: $problem.status == 404
      retry: { exceptWhen: $problem.status == 503 }
      do: [{ e: { set: { x: "\${ $problem }" } } }]
- f:
    listen: { to: { any: [] } }
    foreach: { item: event, at: i, output: { as: "$event" }, export: { as: "$i" }, do: [{ g: { set: { x: "\${ $event }" } } }] }
- h:
    call: asyncapi
    with:
      document: { endpoint: "https://a.b" }
      channel: c
      subscription: { consume: { amount: 1 }, foreach: { do: [{ i: { set: { x: "\${ [$item, $index] }" } } }] } }
`;
    expect(found(text)).toEqual([]);
  });

  test("are not there outside, and a function does not see its caller's", () => {
    const text = `use: { functions: { f: { set: { x: "\${ $item }" } } } }
do:
- a: { for: { in: "[$item]" }, do: [{ b: { call: f } }], output: { as: $item } }
- c: { try: [{ d: { set: { x: "\${ $error }" } } }], catch: {} }
`;
    expect(found(text)).toEqual([
      "expression_invalid /use/functions/f/set/x",
      "expression_invalid /do/0/a/for/in",
      "expression_invalid /do/0/a/output/as",
      "expression_invalid /do/1/c/try/0/d/set/x",
    ]);
  });
});

describe("text that is no expression", () => {
  test("`${` inside a longer text is refused, because nothing would evaluate it", () => {
    const text = tasks(
      "a: { set: { x: 'hello ${ .name }!' } }",
      "b: { call: http, with: { method: get, endpoint: 'https://a.b/${id}' } }",
    );
    expect(found(text)).toEqual([
      "expression_partial /do/0/a/set/x",
      "expression_partial /do/1/b/with/endpoint",
    ]);
  });

  test("a command and a script keep their own `${`, unless the whole text is an expression", () => {
    const text = tasks(
      "a: { run: { shell: { command: 'echo ${HOME}/x' } } }",
      "b: { run: { script: { language: js, code: 'console.log(`${1}`)' } } }",
      "c: { run: { container: { image: x, command: 'echo ${A} ${B' } } }",
    );
    expect(found(text)).toEqual([]);
    expect(found(tasks("a: { run: { shell: { command: '${ ( }' } } }"))).toEqual([
      "expression_invalid /do/0/a/run/shell/command",
    ]);
  });

  test("metadata, schemas and error filters are taken as written", () => {
    const text = `input: { schema: { document: { pattern: "a\${ b" } } }
do:
- a: { set: { x: 1 }, metadata: { note: "costs \${ 5" } }
- b: { try: [], catch: { errors: { with: { title: "a \${ b" } } } }
`;
    expect(found(text)).toEqual([]);
  });

  test("an expression over several lines is one", () => {
    expect(
      found("do:\n- a:\n    set:\n      x: |\n        ${\n          .a\n          | .b\n        }\n"),
    ).toEqual([]);
  });

  test("in loose mode a bare text that does not compile is itself, a whole `${ }` must compile still", () => {
    const loose = (task: string) => found(`evaluate: { mode: loose }\n${tasks(task)}`);
    expect(loose("a: { switch: [{ b: { when: not a program, then: end } }] }")).toEqual([]);
    expect(loose("a: { set: { x: '${ ( }' } }")).toEqual(["expression_invalid /do/0/a/set/x"]);
  });
});
