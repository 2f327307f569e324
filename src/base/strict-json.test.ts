import { expect, test } from "bun:test";
import { parseStrictJson } from "./strict-json.ts";

test("plain JSON reads as JSON.parse reads it", () => {
  for (const text of [
    '{"a":[1,-2.5e3,true,null,"x\\u00e9\\n"],"b":{}}',
    "[]",
    ' "a" ',
    "0",
    '{"__proto__":1}',
  ]) {
    expect(JSON.stringify(parseStrictJson(text))).toBe(JSON.stringify(JSON.parse(text)));
  }
});

test("duplicate keys, unsafe integers, lone surrogates and trailing text are refused with their offset", () => {
  expect(() => parseStrictJson('{"a":1,"a":2}')).toThrow('duplicate key "a" at offset 7');
  expect(() => parseStrictJson("[9007199254740993]")).toThrow("beyond 2^53−1 at offset 1");
  expect(() => parseStrictJson('"\\ud800"')).toThrow("lone surrogate");
  expect(() => parseStrictJson("1 2")).toThrow("unexpected text");
  expect(() => parseStrictJson("\ufeff{}")).toThrow("unexpected character");
  expect(() => parseStrictJson("[".repeat(70))).toThrow("more than 64 levels");
  for (const bad of ["", "{", '{"a"}', "[1,]", "01", "+1", '"\t"', "nul", '"\\x"', '"abc']) {
    expect(() => parseStrictJson(bad)).toThrow();
  }
});

test("both ways of reading refuse the same: compact text is no way around", () => {
  for (const bad of [
    '{"a":1,"a":1}',
    "[9007199254740992]",
    '["\\ud800"]',
    `${"[".repeat(70)}${"]".repeat(70)}`,
    '{"a":{"b":1,"b":2}}',
  ]) {
    expect(() => parseStrictJson(bad)).toThrow();
  }
  expect(Object.keys(parseStrictJson('{"__proto__":{"x":1}}') as object)).toEqual(["__proto__"]);
  expect(parseStrictJson('{"n":1.0}')).toEqual({ n: 1 });
});
