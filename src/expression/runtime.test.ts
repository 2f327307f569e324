import { expect, test } from "bun:test";
import { Failure } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { compileExpression, compileTemplate, isExpression, partialExpression } from "./index.ts";

test("only a whole ${ … } is an expression", () => {
  for (const text of [
    "${ .a }",
    "${.a}",
    "  ${ .a }\n",
    '${ "}" }',
    '${ {a: "\\(.b | {c: 1})"} }',
    "${ {} }",
    '${ "${" }',
  ]) {
    expect(isExpression(text), text).toBe(true);
    expect(partialExpression(text), text).toBe(false);
  }
  for (const text of ["Hello ${ .name }", "${ .a } and ${ .b }", "${ .a", "a ${}", "${ .a }}"]) {
    expect(isExpression(text), text).toBe(false);
    expect(partialExpression(text), text).toBe(true);
  }
  for (const text of ["", ".a", "$ {a}", "}", "{ .a }"]) {
    expect(isExpression(text), text).toBe(false);
    expect(partialExpression(text), text).toBe(false);
  }
});

test("strict mode leaves bare text alone, except where the place takes nothing but expressions", () => {
  expect(compileExpression(".a", {})({ a: 1 })).toBe(".a");
  expect(compileExpression(".a", { bare: true })({ a: 1 })).toBe(1);
  expect(compileExpression("${ .a }", { bare: true })({ a: 1 })).toBe(1);
  expect(() => compileExpression("not jq at all", { bare: true })).toThrow("unexpected");
});

test("loose mode tries every text and falls back to it", () => {
  const loose = (text: string, input: Json = { a: 1 }) => compileExpression(text, { mode: "loose" })(input);
  expect(loose(".a")).toBe(1);
  expect(loose("plain words here")).toBe("plain words here");
  expect(loose(".a.b.c")).toBe(".a.b.c");
  expect(loose("${ .a + 1 }")).toBe(2);
  expect(compileExpression("no program", { mode: "loose", bare: true })(null)).toBe("no program");
  expect(() => compileExpression("${ no program }", { mode: "loose" })).toThrow("unexpected");
  expect(() => loose("last(repeat(1))")).toThrow("too many steps");
});

test("arguments come by name, and only those that the place declares", () => {
  const declared = ["context", "input"];
  const evaluate = compileExpression("${ $context.a + $input }", { declared });
  expect(evaluate(null, { variables: { context: { a: 1 }, input: 2 } })).toBe(3);
  expect(() => compileExpression("${ $secrets.token }", { declared })).toThrow("$secrets is not defined");
  expect(() => compileExpression("${ $context }", {})(null)).toThrow("$context has no value");
});

test("no output is null, several are an error that says what to do", () => {
  expect(compileExpression("${ empty }", {})(null)).toBeNull();
  try {
    compileExpression("${ .[] }", {})([1, 2]);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).code).toBe("expression_failed");
    expect((error as Failure).hint).toContain("[ ]");
  }
});

test("a template evaluates the expressions of the document and shares the rest", () => {
  const fixed = { deep: ["text", 1] };
  const evaluate = compileTemplate({ fixed, sum: "${ .a + .b }", list: ["${ .a }", "plain"] }, {});
  const result = evaluate({ a: 1, b: 2 }) as JsonObject;
  expect(result).toEqual({ fixed, sum: 3, list: [1, "plain"] });
  expect(result["fixed"] === fixed).toBe(true);
  const constant = { a: [1, { b: "x" }] };
  expect(compileTemplate(constant, {})(null)).toBe(constant);
});

test("an expression that arrives as data stays text", () => {
  const variables = { secrets: { token: "s3cret" } };
  const input = { message: "${ $secrets }", list: ["${ $secrets.token }"] };
  expect(compileExpression("${ . }", {})(input, { variables })).toEqual(input);
  expect(compileTemplate({ copy: "${ .message }", all: "${ .list }" }, {})(input, { variables })).toEqual({
    copy: "${ $secrets }",
    all: ["${ $secrets.token }"],
  });
  expect(compileTemplate({ copy: ".message" }, { mode: "loose" })(input, { variables })).toEqual({
    copy: "${ $secrets }",
  });
});

test("a key named __proto__ is a key like any other", () => {
  const template = JSON.parse('{"__proto__": "${ .a }"}') as Json;
  const result = compileTemplate(template, {})({ a: 1 }) as object;
  expect(JSON.stringify(result)).toBe('{"__proto__":1}');
  expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
});
