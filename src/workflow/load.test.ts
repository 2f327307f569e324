import { describe, expect, test } from "bun:test";
import { Failure } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { inspectDocument, loadDocument } from "./load.ts";
import { exampleTexts, featureTexts, notRun } from "./testing/conformance.ts";
import { DIALECT, diagnostics, found, HEADER } from "./testing/documents.ts";

describe.if(notRun === undefined)("the specification's own documents", () => {
  test("all 66 examples are published in both modes", () => {
    const examples = exampleTexts();
    expect(examples).toHaveLength(66);
    for (const { name, text } of examples)
      for (const mode of ["strict", "light"] as const) {
        const { document, diagnostics: said } = inspectDocument(text, { name, mode });
        expect({ name, mode, said: said.filter(({ severity }) => severity === "error") }).toEqual({
          name,
          mode,
          said: [],
        });
        expect(document).toBeDefined();
      }
  });

  test("all 21 documents of the conformance kit are published in strict mode", () => {
    const documents = featureTexts();
    expect(documents).toHaveLength(21);
    for (const { name, text } of documents)
      expect({ name, said: inspectDocument(text, { mode: "strict" }).diagnostics }).toEqual({
        name,
        said: [],
      });
  });
});

test("the dialect is published in light mode, and in strict mode each of its parts is refused by name", () => {
  expect(loadDocument(DIALECT, { mode: "light" }).diagnostics).toEqual([]);
  const { diagnostics: said } = inspectDocument(DIALECT, { mode: "strict" });
  expect(said.map(({ pointer, code }) => `${code} ${pointer}`)).toEqual([
    "unknown_task_type /do/1/claims",
    "unknown_task_type /do/2/compared",
    "unknown_task_type /do/3/confirm",
    "unknown_task_type /do/4/all",
  ]);
  expect(said[0]!.hint).toContain("mode light");
});

test("a document that uses only metadata.lightWorkflow is a strict one", () => {
  const text = `${DIALECT.slice(0, DIALECT.indexOf("  - claims"))}`;
  expect(loadDocument(text, { mode: "strict" }).diagnostics).toEqual([]);
});

test("a misspelt sandbox mode is refused in both modes, because ignoring it would weaken the sandbox", () => {
  const text =
    "do: [{ a: { set: { b: 1 }, metadata: { lightWorkflow: { security: { sandbox: { mode: per-agent } } } } } }]";
  for (const mode of ["strict", "light"] as const)
    expect(found(text, mode)).toEqual([
      "invalid_value 2:86 /do/0/a/metadata/lightWorkflow/security/sandbox/mode",
    ]);
});

test("YAML and JSON of the same document have the same digest, and another key order too", () => {
  const yaml = loadDocument(`${HEADER}do:\n  - a:\n      set: { x: 1, y: [true, null] }\n`, {
    mode: "light",
  });
  const json = loadDocument(
    '{"do":[{"a":{"set":{"y":[true,null],"x":1.0}}}],"document":{"name":"one","dsl":"1.0.3","namespace":"tests","version":"0.1.0"}}',
    { mode: "light" },
  );
  expect(json.digest).toBe(yaml.digest);
  expect(yaml.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
});

test("a refusal names the file and its first fault, and carries all faults", () => {
  try {
    loadDocument(`${HEADER}do:\n- a: { sett: {} }\n- b: { wait: 1 }\n`, { name: "flow.yaml", mode: "light" });
    expect.unreachable();
  } catch (error) {
    const failure = error as Failure;
    expect(failure).toBeInstanceOf(Failure);
    expect(failure.code).toBe("document_invalid");
    expect(failure.message).toBe(
      "flow.yaml: 3:6 /do/0/a: the task has no known type (did you mean `set`?) (and 1 more)",
    );
    expect((failure.details!["diagnostics"] as Diagnostic[]).map(({ code }) => code)).toEqual([
      "unknown_task_type",
      "wrong_type",
    ]);
  }
});

describe("YAML that readers disagree about is refused with its place", () => {
  const cases: Record<string, [text: string, expected: string]> = {
    "a duplicate key": ["do:\n- a:\n    set: { x: 1, x: 2 }\n", "duplicate_key 4:18 /do/0/a/set"],
    "a merge key": ["do:\n- a:\n    set: { <<: { x: 1 } }\n", "not_json 4:12 /do/0/a/set"],
    "a key that is no text": ["do:\n- a:\n    set: { 1: x }\n", "not_json 4:12 /do/0/a/set"],
    "a key that is a list": ["do:\n- a:\n    set: { ? [x] : 1 }\n", "not_json 4:14 /do/0/a/set"],
    "a binary tag": ["do:\n- a:\n    set: { x: !!binary aGk= }\n", "not_json 4:24 /do/0/a/set/x"],
    "a local tag": ["do:\n- a:\n    set: { x: !mine y }\n", "not_json 4:21 /do/0/a/set/x"],
    infinity: ["do:\n- a:\n    set: { x: .inf }\n", "not_json 4:15 /do/0/a/set/x"],
    "an integer that a double cannot hold": [
      "do:\n- a:\n    set: { x: 9007199254740993 }\n",
      "not_json 4:15 /do/0/a/set/x",
    ],
    "an alias inside its own anchor": ["do: &all\n- a: { do: *all }\n", "syntax 3:12 /do/0/a/do"],
    "an alias without an anchor": ["do: *none\n", "syntax 2:5 /do"],
    "a second document": ["do: []\n---\ndo: []\n", "syntax 3:1 /"],
    "an unclosed list": ["do: [\n", "syntax 3:1 /"],
  };
  for (const [what, [text, expected]] of Object.entries(cases))
    test(what, () => expect(found(text)[0]).toBe(expected));
});

test("YAML 1.1 is refused, where `on` and `yes` are booleans", () => {
  expect(inspectDocument(`%YAML 1.1\n---\n${HEADER}do: []\n`, { mode: "light" }).diagnostics[0]?.code).toBe(
    "syntax",
  );
});

test("`on`, `yes` and times are plain text", () => {
  const { document } = inspectDocument(
    `${HEADER}schedule: { on: { any: [] } }\ndo: [{ a: { set: { yes: no, t: 2026-01-01, v: 0x10 } } }]\n`,
    { mode: "light" },
  );
  expect(document?.schedule?.on).toEqual({ any: [] });
  expect(document?.do[0]?.["a"]).toEqual({ set: { yes: "no", t: "2026-01-01", v: 16 } });
});

test("anchors save typing, a bomb of them is refused", () => {
  const used = inspectDocument(
    `${HEADER}use: { timeouts: { short: &t { after: PT1S }, long: *t } }\ndo: []\n`,
    { mode: "light" },
  );
  expect(used.document?.use?.timeouts?.["long"]).toEqual({ after: "PT1S" });
  const rows = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (let index = 1; index < 12; index++) {
    const [last, next] = [index + 96, index + 97].map((code) => String.fromCharCode(code));
    rows.push(`${next}: &${next} [${Array(9).fill(`*${last}`).join(", ")}]`);
  }
  expect(diagnostics(rows.join("\n"))[0]?.code).toBe("too_large");
  const wide = `big: &big ${"x".repeat(LIMITS.documentBytes / 4)}\nall: [${Array(9).fill("*big").join(", ")}]`;
  expect(diagnostics(wide)[0]?.code).toBe("too_large");
});

describe("limits", () => {
  test("a text over the byte limit is refused before it is read", () => {
    const text = `# ${"é".repeat(LIMITS.documentBytes / 2)}\n`;
    expect(inspectDocument(text, { mode: "light" }).diagnostics[0]?.code).toBe("too_large");
  });

  for (const [what, text] of Object.entries({
    "flow lists": `do: ${"[".repeat(50_000)}`,
    "flow maps": `do: ${"{ a: ".repeat(50_000)}`,
    "block lists": `do:\n  ${"- ".repeat(50_000)}x`,
    "explicit keys": "? ".repeat(50_000),
    "block maps": Array.from({ length: 300 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
  }))
    test(`${what} nested beyond the depth limit are refused, not a stack overflow`, () => {
      expect(diagnostics(text)[0]?.code).toBe("too_deep");
    });

  test("JSON nested beyond the depth limit is refused too", () => {
    const text = `{"a":${"[".repeat(100_000)}`;
    expect(inspectDocument(text, { mode: "light" }).diagnostics[0]?.code).toBe("too_deep");
  });
});

describe("JSON", () => {
  const at = (text: string) =>
    inspectDocument(text, { mode: "light" }).diagnostics.map(
      ({ code, line, column, pointer }) => `${code} ${line}:${column} ${pointer || "/"}`,
    );
  const header = '"document": {"dsl": "1.0.3", "namespace": "tests", "name": "one", "version": "0.1.0"}';

  test("a fault has the line and column of its value, past strings with quotes and brackets in them", () => {
    const text = `{\n  ${header},\n  "input": {"schema": {"document": {"pattern": "\\"}]\\\\"}}},\n  "do": [\n    {"a": {"set": {"b": 1}}},\n    {"b~/": {"wait": 5}}\n  ]\n}`;
    expect(at(text)).toEqual(["wrong_type 6:22 /do/1/b~0~1/wait"]);
  });

  test("an unknown property has the place of its key", () => {
    expect(at(`{${header}, "do": [{"a": {"set": {"b": 1},\n "thn": "end"}}]}`)).toEqual([
      "unknown_property 2:2 /do/0/a/thn",
    ]);
  });

  test("a duplicate key and a cut text have their place", () => {
    expect(at('{"a": 1,\n "a": 2}')).toEqual(["duplicate_key 2:2 /"]);
    expect(at('{"a": [1,')).toEqual(["syntax 1:10 /"]);
  });
});

test("a name or a first character decides the format, and the caller may", () => {
  const yamlOnly = `${HEADER}do: []\n`;
  expect(inspectDocument(yamlOnly, { mode: "light", name: "a.json" }).diagnostics[0]?.code).toBe("syntax");
  expect(inspectDocument(yamlOnly, { mode: "light", format: "json" }).diagnostics[0]?.code).toBe("syntax");
  const flow = "{ document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0 }, do: [] }";
  expect(inspectDocument(flow, { mode: "light" }).diagnostics[0]?.code).toBe("syntax");
  expect(inspectDocument(flow, { mode: "light", name: "a.yml" }).diagnostics).toEqual([]);
});
