import { expect, test } from "bun:test";
import { linearPattern } from "./linear-pattern.ts";

const matches = (pattern: string, value: string) => linearPattern(pattern).matches(value);

test("the whole value is matched, with anchors or without", () => {
  for (const pattern of ["[0-9]+", "^[0-9]+$", "\\A[0-9]+\\z"]) {
    expect(matches(pattern, "123")).toBe(true);
    expect(matches(pattern, "x123")).toBe(false);
    expect(matches(pattern, "123x")).toBe(false);
    expect(matches(pattern, "123\n")).toBe(false);
    expect(matches(pattern, "")).toBe(false);
  }
  // An alternative is anchored as a whole, not its first and last branch alone.
  expect(matches("a|b", "axxb")).toBe(false);
  expect(matches("a|b", "b")).toBe(true);
});

test("classes, groups, alternatives and counts mean what they mean elsewhere", () => {
  expect(matches("v(\\d+)\\.(\\d+)(-rc\\d)?", "v1.20-rc1")).toBe(true);
  expect(matches("[a-z]{2,3}", "abcd")).toBe(false);
  expect(matches("[a-z]{2,3}", "abc")).toBe(true);
  expect(matches("(a|bc)*d", "abcad")).toBe(true);
  expect(matches("[^/]+", "a/b")).toBe(false);
  expect(matches("é+", "éé")).toBe(true);
  expect(matches("", "")).toBe(true);
  expect(matches("(a*)*", "aaab")).toBe(false);
});

test("patterns that make a backtracking matcher explode end at once", () => {
  const value = `${"a".repeat(4096)}!`;
  for (const pattern of ["(a+)+", "(a|a)*", "(a*)*", "(a|aa)+", "a*a*a*a*a*a*a*a*", "(.*)(.*)(.*)x"]) {
    expect(matches(pattern, value)).toBe(false);
  }
});

for (const pattern of [
  "a(?=b)",
  "(?<!a)b",
  "(a)\\1",
  "a++",
  "(?>a+)b",
  "(?i)a",
  "a^b",
  "\\bword\\b",
  "a{1,5000}",
  "(",
]) {
  test(`${pattern} is refused when it is published`, () => {
    expect(() => linearPattern(pattern)).toThrow(/pattern/);
  });
}
