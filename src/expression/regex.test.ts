import { expect, test } from "bun:test";
import type { Json } from "../base/json.ts";
import { compileProgram } from "./index.ts";

/** Texts of all matches of a pattern. */
function found(text: string, pattern: string, flags = "g"): Json {
  return compileProgram("[match($pattern; $flags).string]").first(text, { variables: { pattern, flags } });
}

const MATCHES: [text: string, pattern: string, matches: string[], flags?: string][] = [
  ["a1b22", "[0-9]+", ["1", "22"]],
  ["aAbB", "[a-z]", ["a", "A", "b", "B"], "gi"],
  ["foobar", "foo(?=bar)", ["foo"]],
  ["foobaz", "foo(?!bar)", ["foo"]],
  ["foobar", "(?<=foo)bar", ["bar"]],
  ["xbar ybar", "(?<!x)bar", ["bar"]],
  ["aX bX cX", "(?<=a|bb?)X", ["X", "X"]],
  ["abcabc", "(abc)\\1", ["abcabc"]],
  ["abab", "(?<n>ab)\\k<n>", ["abab"]],
  ["aaa", "a*?", ["", "", "", ""]],
  ["aaab", "a+?b", ["aaab"]],
  ["aaa", "a{2}", ["aa"]],
  ["aaaa", "a{1,3}?", ["a", "a", "a", "a"]],
  ["aaaa", "a++a", []],
  ["aaaa", "(?>a+)a", []],
  ["foo.bar", "\\bbar\\b", ["bar"]],
  ["a\nb", "a.b", []],
  ["a\nb", "a.b", ["a\nb"], "gp"],
  ["a\nb", "(?s)a.b", ["a\nb"]],
  ["a\nb", "^.", ["a"]],
  ["a\nb", "(?m)^.", ["a", "b"]],
  ["a\n", "a$", ["a"]],
  ["a\n", "a\\z", []],
  ["ab", "a b # blanks and this do not count", ["ab"], "gx"],
  ["testTEST", "(?i:t)e", ["te"]],
  ["foo foobar", "foo|foobar", ["foobar"], "gl"],
  ["abc", "x*", ["", "", "", ""]],
  ["abc", "x*", [], "gn"],
  ["a-b", "[a\\-b]+", ["a-b"]],
  ["a]b", "[]]", ["]"]],
  ["abc123", "[[:alpha:]]+", ["abc"]],
  ["abcdef", "[a-f&&[^cd]]+", ["ab", "ef"]],
  ["Aé日", "\\p{L}+", ["Aé日"]],
  ["aé 日", "\\w+", ["aé", "日"]],
  ["x1y", "\\D", ["x", "y"]],
  ["\r\n", "\\R", ["\r\n"]],
  ["foobar", "foo\\Kbar", ["bar"]],
  ["A", "\\x41|\\x{42}", ["A"]],
  ["(a*)*", "\\(a\\*\\)\\*", ["(a*)*"]],
  ["aaa", "(a*)*", ["aaa", ""]],
  ["ÀÉ", "àé", ["ÀÉ"], "gi"],
  ["a{b", "a{b", ["a{b"]],
];

for (const [text, pattern, matches, flags] of MATCHES) {
  test(`/${pattern}/${flags ?? "g"} finds ${JSON.stringify(matches)} in ${JSON.stringify(text)}`, () => {
    expect(found(text, pattern, flags)).toEqual(matches);
  });
}

test("offsets and lengths count code points", () => {
  const first = compileProgram('[match(".."; "g") | [.offset, .length, .string]]').first("a😀日b");
  expect(first).toEqual([
    [0, 2, "a😀"],
    [2, 2, "日b"],
  ]);
});

test("a match tells its groups, those that took no part too", () => {
  expect(compileProgram('match("(?<x>t)(y)?")').first("test")).toEqual({
    offset: 0,
    length: 1,
    string: "t",
    captures: [
      { offset: 0, length: 1, string: "t", name: "x" },
      { offset: -1, length: 0, string: null, name: null },
    ],
  });
});

const PROGRAMS: [program: string, input: Json, outputs: Json[]][] = [
  ['test("B"; "ix"), test(["b", "i"]), test("z")', "abc", [true, true, false]],
  ['capture("(?<a>\\\\w+) (?<b>\\\\w+)")', "foo bar", [{ a: "foo", b: "bar" }]],
  ['[scan("[a-z]([0-9])")]', "a1b2", [[["1"], ["2"]]]],
  [
    '[splits(", *")], split(",\\\\s*"; null)',
    "a,b, c",
    [
      ["a", "b", "c"],
      ["a", "b", "c"],
    ],
  ],
  ['sub("(?<x>b)"; "[\\(.x)]"), gsub("[ac]"; "-")', "abc", ["a[b]c", "-b-"]],
  ['[gsub("(?<x>[a-z])"; "\\(.x)1", "\\(.x)2")]', "ab", [["a1b1", "a2b2"]]],
  ['gsub(""; "-"), gsub("^"; ">"), gsub("$"; "<")', "ab", ["-a-b-", ">ab", "ab<"]],
  ['sub("o"; empty)', "foo", ["foo"]],
];

for (const [program, input, outputs] of PROGRAMS) {
  test(`${program} on ${JSON.stringify(input)}`, () => {
    expect(compileProgram(program).run(input)).toEqual(outputs);
  });
}

test("a pattern that is no pattern is an error that the program can catch", () => {
  for (const pattern of [
    "(",
    ")",
    "[",
    "*a",
    "[z-a]",
    "\\k<x>",
    "\\p{Nothing}",
    "(?z)",
    "(?<1>a)",
    "a{200000}",
  ]) {
    const answer = compileProgram("try test($pattern) catch .").first("a", { variables: { pattern } });
    expect(answer, pattern).toStartWith("Regex failure: ");
  }
  expect(compileProgram('try test("a"; "q") catch .').first("a")).toBe("q is not a valid modifier string");
  expect(compileProgram('try test("a") catch .').first(1)).toBe(
    "number (1) cannot be matched, as it is not a string",
  );
});

test("a long text is matched without a deep stack", () => {
  const long = "ab".repeat(50_000);
  expect(compileProgram('test("^(?:a|b)*$")').first(long)).toBe(true);
  expect(compileProgram('[match("b"; "g")] | length', undefined).first(long.slice(0, 2000))).toBe(1000);
});
