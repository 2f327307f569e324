import { describe, expect, test } from "bun:test";
import { checkDocument } from "./check.ts";
import type { Mode } from "./schema/index.ts";
import { diagnostics } from "./testing/documents.ts";

const found = (text: string, mode: Mode = "light") =>
  diagnostics(text, mode).map(({ code, pointer }) => `${code} ${pointer}`);
/** With the message too. */
const said = (text: string, mode: Mode = "light") =>
  diagnostics(text, mode).map(({ code, pointer, message }) => `${code} ${pointer}: ${message}`);
const tasks = (...lines: string[]) => `do:\n${lines.map((line) => `- ${line}\n`).join("")}`;

describe("where the flow goes", () => {
  test("a `then` without a task of that name in the list is refused with the nearest name", () => {
    const text = tasks("first: { set: { a: 1 }, then: thrid }", "third: { set: { a: 1 }, then: end }");
    expect(found(text)).toEqual(["unknown_target /do/0/first/then"]);
    expect(diagnostics(text)[0]?.hint).toBe("did you mean `third`?");
  });

  test("a task of another list is no target, and the message says why", () => {
    const text = tasks(
      "outer: { do: [{ inner: { set: { a: 1 }, then: other } }] }",
      "other: { set: { a: 1 } }",
    );
    expect(found(text)).toEqual(["unknown_target /do/0/outer/do/0/inner/then"]);
    expect(diagnostics(text)[0]?.hint).toContain("another list");
  });

  test("backward jumps, directives, switch cases and catch.then are followed", () => {
    expect(
      said(
        tasks(
          "a: { set: { x: 1 }, then: continue }",
          "b: { switch: [{ one: { when: .x == 1, then: a } }, { two: { then: exit } }] }",
          "c: { try: [{ d: { set: { x: 1 } } }], catch: { then: b } }",
        ),
      ),
    ).toEqual([
      "newer_than_dsl /do/2/c/catch/then: `catch.then` is newer than DSL 1.0.3: other engines may refuse it",
    ]);
    expect(
      found(
        tasks(
          "b: { switch: [{ one: { when: .x == 1, then: nowhere } }] }",
          "c: { try: [{ d: { set: { x: 1 } } }], catch: { then: d } }",
        ),
      ).slice(0, 2),
    ).toEqual(["unknown_target /do/0/b/switch/0/one/then", "unknown_target /do/1/c/catch/then"]);
  });

  test("branches, functions and graph steps have nowhere to go but directives", () => {
    expect(
      found(
        `use: { functions: { f: { set: { a: 1 }, then: g }, g: { set: { a: 1 }, then: end } } }\n${tasks(
          "x: { fork: { branches: [{ p: { set: { a: 1 }, then: q } }, { q: { set: { a: 1 } } }] } }",
          "y: { graph: { steps: { s: { task: { set: { a: 1 }, then: x } } } } }",
        )}`,
      ),
    ).toEqual([
      "unknown_target /use/functions/f/then",
      "unknown_target /do/0/x/fork/branches/0/p/then",
      "unknown_target /do/1/y/graph/steps/s/task/then",
    ]);
  });

  test("two tasks of one name in one list are refused, in two lists they are not", () => {
    expect(
      found(tasks("a: { do: [{ a: { set: { x: 1 } } }] }", "b: { wait: PT1S }", "a: { wait: PT1S }")),
    ).toEqual(["duplicate_name /do/2/a"]);
    expect(said(tasks("end: { wait: PT1S }"))[0]).toStartWith("reserved_name /do/0/end");
  });
});

describe("what is used by name", () => {
  test("each unknown name of use.* is refused where it is used", () => {
    const text = `timeout: brief\n${tasks(
      "a: { set: { x: 1 }, timeout: shrt }",
      "b: { try: [], catch: { retry: often } }",
      "c: { raise: { error: broken } }",
      "d: { call: http, with: { method: get, endpoint: { uri: 'https://a.b', authentication: { use: me } } } }",
      "e: { call: http, with: { method: get, endpoint: { uri: 'https://a.b', authentication: { basic: { use: me } } } } }",
      "f: { call: lookUp }",
      "g: { call: 'lookUp:1.0.0@corner' }",
    )}use: { timeouts: { short: { after: PT1S } } }\n`;
    expect(found(text)).toEqual([
      "unknown_reference /timeout",
      "unknown_reference /do/3/d/with/endpoint/authentication/use",
      "unknown_reference /do/4/e/with/endpoint/authentication/basic/use",
      "unknown_reference /do/0/a/timeout",
      "unknown_reference /do/1/b/catch/retry",
      "unknown_reference /do/2/c/raise/error",
      "unknown_reference /do/5/f/call",
      "unknown_reference /do/6/g/call",
    ]);
    expect(diagnostics(text).find(({ pointer }) => pointer === "/do/0/a/timeout")?.hint).toBe(
      "did you mean `short`?",
    );
  });

  test("names that are there, URLs and the default catalog pass", () => {
    const text = `use:
  authentications: { me: { basic: { use: keys } } }
  secrets: [keys]
  retries: { often: { delay: PT1S } }
  errors: { broken: { type: "https://a.b/c", status: 500 } }
  functions: { lookUp: { set: { a: 1 } } }
  catalogs: { corner: { endpoint: "https://a.b" } }
do:
- a: { try: [], catch: { retry: often } }
- b: { raise: { error: broken } }
- c: { call: lookUp, with: { x: 1 } }
- d: { call: "lookUp:1.0.0@corner" }
- e: { call: "lookUp:1.0.0-rc.1@default" }
- f: { call: "https://a.b/f.yaml" }
- g: { call: http, with: { method: get, endpoint: { uri: "https://a.b", authentication: { use: me } } } }
`;
    expect(said(text, "strict")).toEqual([]);
    expect(said(text)).toEqual([]);
  });

  test("a function may not hide behind a call of the language, of the dialect only where that is spoken", () => {
    const text = `use: { functions: { http: { set: { a: 1 } }, agent: { set: { a: 1 } } } }\ndo: [{ a: { call: agent } }]\n`;
    expect(found(text, "strict")).toEqual(["reserved_name /use/functions/http"]);
    expect(found(text)).toEqual(["missing_property /do/0/a"]);
    expect(said(text.replace("do: [{ a: { call: agent } }]", "do: []"))).toEqual([
      "reserved_name /use/functions/http: `call: http` has a meaning of its own",
      "reserved_name /use/functions/agent: `call: agent` has a meaning of its own",
    ]);
  });

  test("`call: rule` is refused by name, and a call of the dialect in strict mode says what it needs", () => {
    expect(said(tasks("a: { call: rule }"))).toEqual([
      "unsupported /do/0/a/call: `call: rule` is not offered",
    ]);
    expect(diagnostics(tasks("a: { call: cortex }"), "strict")[0]?.hint).toContain("mode light");
  });
});

describe("graphs", () => {
  test("a need that is no step, and steps that wait for each other, are refused", () => {
    expect(
      said(
        tasks(
          "a: { graph: { steps: { one: { needs: [tow], task: { wait: PT1S } }, two: { task: { wait: PT1S } } } } }",
          "b: { graph: { steps: { x: { needs: [z], task: { wait: PT1S } }, y: { needs: [x], task: { wait: PT1S } }, z: { needs: [y], task: { wait: PT1S } } } } }",
          "c: { graph: { steps: { x: { needs: [x], task: { wait: PT1S } } } } }",
        ),
      ),
    ).toEqual([
      "unknown_need /do/0/a/graph/steps/one/needs/0: no step `tow` in this graph",
      "cycle /do/1/b/graph/steps/x/needs: the steps wait for each other: x → z → y → x",
      "cycle /do/2/c/graph/steps/x/needs: the steps wait for each other: x → x",
    ]);
  });

  test("five thousand steps in a row are no cycle and no stack overflow", () => {
    const steps = Array.from({ length: 5_000 }, (_, index) =>
      index === 0
        ? "s0: { task: { wait: PT1S } }"
        : `s${index}: { needs: [s${index - 1}], task: { wait: PT1S } }`,
    );
    expect(said(tasks(`a: { graph: { steps: { ${steps.reverse().join(", ")} } } }`))).toEqual([]);
  });
});

describe("what nothing could run", () => {
  const cases: Record<string, [text: string, expected: string[]]> = {
    "an assertion that compares nothing": [
      tasks("a: { assert: { value: 1 } }", "b: { assert: [{ that: 'true' }, { value: 1, message: x }] }"),
      ["incomplete /do/0/a/assert", "incomplete /do/1/b/assert/1"],
    ],
    "a question whose default is missing": [
      tasks("a: { ask: { prompt: x, timeout: PT1S, onTimeout: default } }"),
      ["incomplete /do/0/a/ask/onTimeout"],
    ],
    "a question with a default for a timeout it has not": [
      tasks("a: { ask: { prompt: x, default: 1, onTimeout: default } }"),
      ["incomplete /do/0/a/ask/onTimeout"],
    ],
    "a question with two sources of options": [
      tasks("a: { ask: { prompt: x, options: [a], optionsFrom: .a } }"),
      ["incomplete /do/0/a/ask"],
    ],
    "a sub-workflow that cannot have that version or name": [
      tasks(
        "a: { run: { workflow: { namespace: n, name: no_name, version: '1.0' } } }",
        "b: { run: { workflow: { namespace: n, name: '${ .name }', version: latest } } }",
      ),
      ["invalid_value /do/0/a/run/workflow/name", "invalid_value /do/0/a/run/workflow/version"],
    ],
    "an A2A call to nobody": [
      tasks("a: { call: a2a, with: { method: tasks/list } }"),
      ["incomplete /do/0/a/with"],
    ],
    "OAuth2 without an authority": [
      `use: { authentications: { a: { oauth2: { grant: password } } } }\ndo: []\n`,
      ["incomplete /use/authentications/a/oauth2"],
    ],
    "a schedule of two kinds": [
      "schedule: { every: PT1H, cron: '* * * * *' }\ndo: []\n",
      ["incomplete /schedule"],
    ],
    "another expression language": [
      "evaluate: { language: cel }\ndo: []\n",
      ["unsupported /evaluate/language"],
    ],
    "a day that is none": [
      tasks(
        "a: { emit: { event: { with: { type: x, source: 'https://a.b', time: 2026-02-29T00:00:00Z } } } }",
      ),
      ["invalid_value /do/0/a/emit/event/with/time"],
    ],
  };
  for (const [what, [text, expected]] of Object.entries(cases))
    test(what, () => expect(found(text)).toEqual(expected));

  test("another major version of the DSL is refused, a later one is a warning", () => {
    const dsl = (version: string) =>
      checkDocument(
        { document: { dsl: version, namespace: "a", name: "b", version: "1.0.0" }, do: [] },
        { mode: "light" },
      ).map(({ code, severity }) => `${severity} ${code}`);
    expect(dsl("0.8.0")).toEqual(["error unsupported"]);
    expect(dsl("1.0.0-alpha5")).toEqual([]);
    expect(dsl("1.0.3")).toEqual([]);
    expect(dsl("1.1.0")).toEqual(["warning newer_than_dsl"]);
  });
});

test("a key at the root that means nothing is a warning with the nearest one that does", () => {
  const [warning] = diagnostics("do: []\nouput: { as: .a }\n");
  expect(warning).toMatchObject({
    code: "ignored",
    severity: "warning",
    hint: "did you mean `output`?",
    line: 3,
  });
});

test("items of the renamed specification are warnings", () => {
  const text = `schedule: { on: { any: [] }, read: envelope }\n${tasks(
    "a: { for: { in: [{ x: 1 }] }, do: [] }",
    "b: { emit: { event: { with: { type: t } } } }",
    "c: { try: [], catch: { errors: { with: { detail: d } } } }",
  )}`;
  expect(diagnostics(text).map(({ code, severity, pointer }) => `${severity} ${code} ${pointer}`)).toEqual([
    "warning newer_than_dsl /schedule/read",
    "warning newer_than_dsl /do/0/a/for/in",
    "warning newer_than_dsl /do/1/b/emit/event/with",
    "warning newer_than_dsl /do/2/c/catch/errors/with/detail",
  ]);
});

test("a variable that cannot be read or hides an argument is a warning", () => {
  const text = tasks(
    "a: { for: { each: input, in: . }, do: [] }",
    "b: { try: [], catch: { as: $error } }",
    "c: { listen: { to: { any: [] } }, foreach: { item: my-event, do: [] } }",
  );
  expect(found(text)).toEqual(["reserved_name /do/0/a", "ignored /do/1/b", "ignored /do/2/c"]);
  expect(diagnostics(text).map(({ severity }) => severity)).toEqual(["warning", "warning", "warning"]);
});

test("both names of the specification's schema are known, another one is a warning", () => {
  const schema = (id: string) => found(`$schema: ${id}\ndo: []\n`);
  expect(schema("https://serverlessworkflow.io/schemas/1.0.3/workflow.yaml")).toEqual([]);
  expect(schema("https://open-workflow-specification.org/schemas/1.0.3/workflow.yaml")).toEqual([]);
  expect(schema("https://example.com/workflow.yaml")).toEqual(["ignored /$schema"]);
});

test("a value nested beyond the limit is refused, from wherever it comes", () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) value = [value];
  const document = {
    document: { dsl: "1.0.3", namespace: "a", name: "b", version: "1.0.0" },
    do: [{ a: { set: { value } } }],
  };
  expect(checkDocument(document, { mode: "light" }).map(({ code }) => code)).toEqual(["too_deep"]);
});
