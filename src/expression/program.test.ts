import { expect, test } from "bun:test";
import { Failure } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { compileProgram } from "./index.ts";

function failure(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** Outputs as jq 1.8 gives them. */
const OUTPUTS: [program: string, input: Json, outputs: Json[]][] = [
  // Who is the outer loop
  ["[(1,2) + (10,20)]", null, [[11, 12, 21, 22]]],
  [
    "{a: (1,2), b: (3,4)} | [.a, .b]",
    null,
    [
      [1, 3],
      [1, 4],
      [2, 3],
      [2, 4],
    ],
  ],
  ["[.[(0,1):(2,3)]]", [1, 2, 3], [[[1, 2], [1, 2, 3], [2], [2, 3]]]],
  ["[pow(2,3; 1,2)]", null, [[2, 3, 4, 9]]],
  ['"\\(1,2) \\(3,4)"', null, ["1 3", "2 3", "1 4", "2 4"]],
  ["[range(0,1; 3,4)]", null, [[0, 1, 2, 0, 1, 2, 3, 1, 2, 1, 2, 3]]],
  [
    "def f($a; $b): [$a, $b, a]; [f(1,2; 3)]",
    null,
    [
      [
        [1, 3, 1, 2],
        [2, 3, 1, 2],
      ],
    ],
  ],
  [
    "def f($a): if $a > 3 then [a] else f($a + 1, 10) end; [f(0)]",
    null,
    [
      [
        [4, 10],
        [4, 10],
        [3, 10],
        [2, 10],
        [1, 10],
      ],
    ],
  ],
  // Syntax
  ["-1 * 2, -1 + 2", null, [-2, 1]],
  ["1 as $x | 2 as $y | [$x, $y, $__loc__]", null, [[1, 2, { file: "<top-level>", line: 1 }]]],
  ["{a: 1 + 2, b: 3 | 4, c: 5 // 6}", null, [{ a: 3, b: 4, c: 5 }]],
  [
    '{"a b", if: 1, @base64 "x": 2, "k\\(1)": 3, (1 | tostring): 4}',
    { "a b": 0 },
    [{ "1": 4, "a b": 0, if: 1, x: 2, k1: 3 }],
  ],
  ["if . then 1 end, if .a then 1 elif .b then 2 else 3 end", { b: true }, [1, 2]],
  ['.a.b?, .a[0]?, .["a"].b, .a."b"', { a: { b: 1 } }, [1, 1, 1]],
  ["# a comment \\\n still\n1 # and one more", null, [1]],
  [
    "reduce .[] as [$a, {b: $b}] (0; . + $a * $b)",
    [
      [1, { b: 2 }],
      [3, { b: 4 }],
    ],
    [14],
  ],
  [
    '. as {as: $kw, "str": $str, ("e" + "x"): $exp} | [$kw, $str, $exp]',
    { as: 1, str: 2, ex: 3 },
    [[1, 2, 3]],
  ],
  [". as {$a: [$b]} | [$a, $b]", { a: [5] }, [[[5], 5]]],
  ["[.[] as [$a] ?// $a | $a]", [[1], 2], [[1, 2]]],
  ['[[1,2]] | .[] as [$a] ?// $a | if ($a | type) == "number" then error("x") else $a end', null, [[1, 2]]],
  ["[.[]?.a?]", [{ a: 1 }, 2, { a: 3 }], [[1, 3]]],
  ['[.[("a", "b")]?]', { a: 1, b: 2 }, [[1, 2]]],
  ['try ((error("x")).a?) catch .', null, ["x"]],
  ['try (error("x") // 1) catch .', null, ["x"]],
  ["[(false, null, 1) // 42, (empty // 43), (false // false)]", null, [[1, 43, false]]],
  [".a = null // 2", {}, [{ a: null }]],
  ["-1 as $x | [$x, -$x]", null, [[-1, 1]]],
  ["reduce -.[] as $x (0; . + $x)", [1, 2], [-3]],
  // Streams and control
  ["[label $a | label $b | 1, break $a, 2]", null, [[1]]],
  ["[.[] | try error catch .]", [1, null], [[1, null]]],
  ['try (try error("x") catch error("y")) catch .', null, ["y"]],
  ['try ((1, error("x")) | if . == 1 then error("late") else . end) catch .', null, ["late"]],
  ["[first(range(10)), first(empty), last(range(5)), nth(2; range(9))]", null, [[0, 4, 2]]],
  ['[limit(3; 1, 2, 3, error("not reached"))]', null, [[1, 2, 3]]],
  ["reduce (1,2) as $i (0; empty)", null, [null]],
  ["foreach (1,2) as $i (0; . + $i, 10; [.])", null, [[1], [10], [12], [10]]],
  ["[recurse(if . < 3 then . + 1 else empty end)]", 0, [[0, 1, 2, 3]]],
  ['[isempty(empty), isempty(1, error("x"))]', null, [[true, false]]],
  // Paths and assignment
  [
    '[paths], [paths(type == "number")]',
    { a: 1, b: [2] },
    [
      [["a"], ["b"], ["b", 0]],
      [["a"], ["b", 0]],
    ],
  ],
  ["[path(..)], [path(.a[].b?)]", { a: [{ b: 1 }] }, [[[], ["a"], ["a", 0], ["a", 0, "b"]], [["a", 0, "b"]]]],
  ['path(getpath(["a", 0]) | select(. == 1))', { a: [1] }, [["a", 0]]],
  ["path(first(.a, .b)), [path(limit(2; .[]))]", { a: 1, b: 2, c: 3 }, [["a"], [["a"], ["b"]]]],
  [
    "(.a, .b) = (1, 2)",
    {},
    [
      { a: 1, b: 1 },
      { a: 2, b: 2 },
    ],
  ],
  [".a += .b | .c //= 3 | .a |= . * 2", { a: 1, b: 2 }, [{ a: 6, b: 2, c: 3 }]],
  ["(.[] | select(. >= 2)) |= empty", [1, 5, 3, 0, 7], [[1, 0]]],
  [
    ".[1:] = [9], .[-1] = 8, del(.[0, 2]), (.[1:] |= map(. * 2))",
    [1, 2, 3],
    [[1, 9], [1, 2, 8], [2], [1, 4, 6]],
  ],
  [".a[1].b = 1", null, [{ a: [null, { b: 1 }] }]],
  ["(.. | numbers) |= . + 1", [1, [2]], [[2, [3]]]],
  ["del(.a[] | select(.b == 1))", { a: [{ b: 1 }, { b: 2 }] }, [{ a: [{ b: 2 }] }]],
  ['delpaths([["a", 0], ["a", 1], ["b"]])', { a: [1, 2, 3], b: 1 }, [{ a: [3] }]],
  ["pick(.a[1], .b.c)", { a: [1, 2, 3], b: { c: 4, d: 5 } }, [{ a: [null, 2], b: { c: 4 } }]],
  // Values
  ["[nan] | sort", null, [[null]]],
  ["nan < nan, nan == nan, nan > nan", null, [true, false, false]],
  ["[infinite, -infinite, nan]", null, [[Number.MAX_VALUE, -Number.MAX_VALUE, null]]],
  ["5 % 3, -5 % 3, 5 % -3, 5.9 % 3.1", null, [2, -2, 2, 2]],
  [
    "sort",
    [{ a: 2 }, [1], "b", 1, true, null, false, { a: 1, b: 0 }],
    [[null, false, true, 1, "b", [1], { a: 2 }, { a: 1, b: 0 }]],
  ],
  ["sort", ["\uffff", "😀", "a"], [["a", "\uffff", "😀"]]],
  ["length, utf8bytelength, explode, .[1:2]", "a😀", [2, 5, [97, 128512], "😀"]],
  [
    "[1, 1.5, 1e17, 1e-5, 123456789012345680000, -0.5] | map(tojson)",
    null,
    [["1", "1.5", "1e+17", "1e-05", "123456789012345680000", "-0.5"]],
  ],
  ["tojson, keys, keys_unsorted, ([.[]])", { b: 1, a: 2 }, ['{"b":1,"a":2}', ["a", "b"], ["b", "a"], [1, 2]]],
  ['"abc" * 0, "ab" * 2, ("a" * -1)', null, ["", "abab", null]],
  ["{a: {b: 1}} * {a: {c: 2}}", null, [{ a: { b: 1, c: 2 } }]],
  ['[1, 2, 1] - [1], indices([1, 2]), ("a,b" / ",")', [0, 1, 2, 1, 2], [[2], [1, 3], ["a", "b"]]],
  [
    "from_entries",
    [
      { k: "a", v: 1 },
      { name: "b", Value: 2 },
      { key: "c", value: false },
    ],
    [{ a: 1, b: 2, c: false }],
  ],
  ['toarray, (1 | toarray), reverse, ("ab" | reverse)', [1, 2], [[1, 2], [1], [2, 1], "ba"]],
  ["walk(select(. != null))", [1, null, { a: null, b: 2 }], [[1, { b: 2 }]]],
  [
    "group_by(.a) | map(map(.b))",
    [
      { a: 2, b: 1 },
      { a: 1, b: 2 },
      { a: 2, b: 3 },
    ],
    [[[2], [1, 3]]],
  ],
  ["fromstream(tostream)", { a: [1, { b: 2 }], c: [] }, [{ a: [1, { b: 2 }], c: [] }]],
  ["INDEX(.id), IN(.[]; 3)", [{ id: 1 }], [{ "1": { id: 1 } }, false]],
  // Text
  [
    "@csv, @tsv, @sh, @json",
    [1, 'a"b', null],
    ['1,"a""b",', '1\ta"b\t', "1 'a\"b' null", '[1,"a\\"b",null]'],
  ],
  ["@html, @uri, @base64, @base32", "<é&", ["&lt;é&amp;", "%3C%C3%A9%26", "PMOpJg==", "HTB2SJQ="]],
  ["(@base64 | @base64d), (@base32 | @base32d), (@uri | @urid)", "<é&", ["<é&", "<é&", "<é&"]],
  ['@sh "echo \\(.)"', "it's", ["echo 'it'\\''s'"]],
  ['trim, ltrim, rtrim, trimstr(" ")', " a ", ["a", "a ", " a", "a"]],
  ["ascii_downcase, ascii_upcase", "aÉZ", ["aÉz", "AÉZ"]],
  // Dates
  [
    'todate, gmtime, (gmtime | mktime), strftime("%A %j %G-W%V-%u")',
    1425599621,
    ["2015-03-05T23:53:41Z", [2015, 2, 5, 23, 53, 41, 4, 63], 1425599621, "Thursday 064 2015-W10-4"],
  ],
  ['strptime("%a, %d %b %Y %H:%M:%S %z") | mktime', "Thu, 05 Mar 2015 23:51:47 +0000", [1425599507]],
  ['strptime("%Y-%m-%d %I:%M %p") | todate', "2020-02-29 10:11 PM", ["2020-02-29T22:11:00Z"]],
  [
    "map(todate)",
    [-1, 951782400, 253402300800],
    [["1969-12-31T23:59:59Z", "2000-02-29T00:00:00Z", "+10000-01-01T00:00:00Z"]],
  ],
  ['strftime("%G-W%V-%u %U")', 1609459200, ["2020-W53-5 00"]],
  // Mathematics
  ["[significand, logb, frexp, trunc, round, cbrt]", 8, [[1, 3, [0.5, 4], 8, 8, 2]]],
  ["map(round, rint, ceil)", [1.5, -1.5, 2.5], [[2, 2, 2, -2, -2, -1, 3, 2, 3]]],
  [
    "[ldexp(1; 3), drem(5; 3), nexttoward(1; 2), fma(2; 3; 4), copysign(1; -2)]",
    null,
    [[8, -1, 1.0000000000000002, 10, -1]],
  ],
];

for (const [program, input, outputs] of OUTPUTS) {
  test(`${program} on ${JSON.stringify(input)}`, () => {
    expect(compileProgram(program).run(input)).toEqual(outputs);
  });
}

const ERRORS: [program: string, message: string][] = [
  ["[1] | .a", 'Cannot index array with string ("a")'],
  ["{} | .[0]", "Cannot index object with number (0)"],
  ["1 | .[]", "Cannot iterate over number (1)"],
  ['1 + "a"', 'number (1) and string ("a") cannot be added'],
  ["1 / 0", "number (1) and number (0) cannot be divided because the divisor is zero"],
  ['("a" * 100) - 1', `string ("${"a".repeat(24)}...") and number (1) cannot be subtracted`],
  ['{} | keys | has("a")', "Cannot check whether array has a string key"],
  ['"abc" | tonumber', 'string ("abc") cannot be parsed as a number'],
  ["path(1)", "Invalid path expression with result 1"],
  ["{a: 1} | path(.a | 1 | .b)", 'Invalid path expression near attempt to access element "b" of 1'],
  ["[1, 2] | path(map(.) | .[])", "Invalid path expression near attempt to iterate through [1,2]"],
  ["limit(-1; 1)", "limit doesn't support negative count"],
  ["[1] | .[-5] = 9", "Out of bounds negative array index"],
  ['"x" | fromdate', 'date "x" does not match format "%Y-%m-%dT%H:%M:%SZ"'],
  ["{(1): 2}", "Cannot use number (1) as object key"],
  ["now", "now is not available here"],
];

for (const [program, message] of ERRORS) {
  test(`${program} fails as in jq, inside the program and outside`, () => {
    expect(compileProgram(`try (${program}) catch .`).run(null)).toEqual([message]);
    const error = failure(() => compileProgram(program).run(null));
    expect([error.code, error.message]).toEqual(["expression_failed", message]);
  });
}

test("an error value that is no text is in the details", () => {
  const error = failure(() => compileProgram("error({code: 7})").run(null));
  expect(error.message).toBe('{"code":7} (not a string)');
  expect(error.details).toEqual({ value: { code: 7 } });
});

test("what does not compile says where", () => {
  const error = failure(() => compileProgram(".a |\n  nonsense(1)"));
  expect(error.code).toBe("expression_invalid");
  expect(error.message).toBe("nonsense/1 is not defined (line 2, column 3)");
  expect(error.details).toEqual({ offset: 7, line: 2, column: 3 });
  const wrong = [
    ".a +",
    "{a",
    "[1,",
    "if 1 then 2",
    '"abc',
    '"\\q"',
    ".a b",
    "1 as x | 2",
    "def f: 1",
    "break $x",
    "@foo",
    "$__x",
    "}",
    "1 < 2 < 3",
    ".a = .b = 1",
    "{a: 1,}",
    "'a'",
  ];
  for (const program of wrong) {
    expect(failure(() => compileProgram(program, [])).code, program).toBe("expression_invalid");
  }
});

test("there is no way out of an expression", () => {
  for (const program of [
    "env",
    "$ENV",
    "input",
    "inputs",
    "halt",
    "halt_error",
    "input_filename",
    'import "a" as a; 1',
    'include "a"; 1',
    "get_search_list",
    "$__prog_args",
    "getenv",
  ]) {
    expect(failure(() => compileProgram(program, [])).code, program).toBe("expression_invalid");
  }
  expect(compileProgram('debug, stderr, debug("x")').run(1)).toEqual([1, 1, 1]);
});

test("now is what the caller says", () => {
  expect(compileProgram("now, (now | todate)").run(null, { now: 1_700_000_000_500 })).toEqual([
    1_700_000_000.5,
    "2023-11-14T22:13:20Z",
  ]);
});

test("free variables are listed once and taken from the caller", () => {
  const program = compileProgram(". as $own | [$b, $own, $a, $b]");
  expect(program.variables).toEqual(["b", "a"]);
  expect(program.run(1, { variables: { a: 2, b: 3 } })).toEqual([[3, 1, 2, 3]]);
  expect(failure(() => program.run(1, { variables: { a: 2 } })).message).toBe("$b has no value");
  expect(failure(() => compileProgram("$a + $c", ["a"])).message).toStartWith("$c is not defined");
  expect(failure(() => compileProgram("$toString").run(1, { variables: {} })).message).toBe(
    "$toString has no value",
  );
});

test("a list of constants is one value that nobody can change", () => {
  const program = compileProgram("[1, [2, {a: 3}]]");
  expect(program.first(null)).toBe(program.first(null));
  expect(() => (program.first(null) as Json[]).push(4)).toThrow();
  const long = Array.from({ length: 20_000 }, (_, index) => index);
  expect(compileProgram(`[${long.join(",")}] | length`).first(null)).toBe(20_000);
  expect(compileProgram(`[${long.join(",")}, .] | length`).first(null)).toBe(20_001);
});

test("builtins names what there is", () => {
  const names = compileProgram("builtins").first(null) as string[];
  expect(names).toContain("map/1");
  expect(names).toContain("splits/2");
  expect(names).not.toContain("env/0");
});

test("the same source is compiled once", () => {
  expect(compileProgram(".a + 1")).toBe(compileProgram(".a + 1"));
  expect(compileProgram(".a + 1", ["x"])).not.toBe(compileProgram(".a + 1"));
});

test("names that JavaScript objects inherit are not members", () => {
  expect(compileProgram('.toString, .constructor, .__proto__, has("toString")').run({})).toEqual([
    null,
    null,
    null,
    false,
  ]);
  const input = JSON.parse('{"__proto__": {"x": 1}, "toString": 2}') as Json;
  expect(
    compileProgram('.__proto__.x, .toString, keys, del(.toString), (.["__proto__"] = 5 | tojson)').run(input),
  ).toEqual([
    1,
    2,
    ["__proto__", "toString"],
    JSON.parse('{"__proto__": {"x": 1}}') as Json,
    '{"__proto__":5,"toString":2}',
  ]);
  const made = compileProgram(
    '{"__proto__": 1, ("__pro" + "to__"): 2}, ([{key: "__proto__", value: 3}] | from_entries)',
  ).run(null);
  expect(made.map((value) => JSON.stringify(value))).toEqual(['{"__proto__":2}', '{"__proto__":3}']);
});

function freeze<T extends Json>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const child of Object.values(value)) freeze(child);
    Object.freeze(value);
  }
  return value;
}

test("no program changes its input or its variables", () => {
  const make = (): Json => ({
    a: [3, 1, 2],
    b: { c: { d: [1] } },
    s: "x",
    n: null,
    list: [
      { k: "p", v: 1 },
      { k: "q", v: 2 },
    ],
  });
  const frozen = freeze(make());
  const variables = freeze({ v: make() }) as { v: Json };
  const programs = [
    ".a |= sort",
    ".a += [4]",
    ".b.c.d[0] = 9",
    "del(.b.c)",
    'delpaths([["a", 0]])',
    ".a | sort, reverse, unique, add",
    "to_entries",
    "with_entries(.value = 1)",
    "map_values(null)",
    'walk(if type == "number" then . + 1 else . end)',
    "reduce .list[] as $x (.; .b[$x.k] += $x.v | .a += [$x.v])",
    "reduce .list[] as $x (.a; . + [$x])",
    "reduce .list[] as $x ($v; .a[0] += 1 | .b.c.d += [$x])",
    "reduce range(3) as $i (.b; .c.d += [$i] | .e = .c)",
    "reduce range(3) as $i ({}; .x = . | .y += [1])",
    "foreach .list[] as $x (.b; .c.d += [$x])",
    "(.a, .b.c.d) |= map(. + 1)",
    ".a[1:] = []",
    "[.a, .a] | .[0] += [1]",
    "$v.a + .a | .[0] = 5",
    "$v * .",
    'setpath(["b", "c"]; 1)',
    ". + {a: 1}",
    "add(.list[])",
    "[.list[], {z: 1}] | add | .k = 2",
    ".a | flatten, group_by(.), min_by(.), transpose?",
    "pick(.b.c)",
    "[.. | arrays] | map(. += [1])",
    "[limit(1; .list[])] | .[0].k = 3",
    "tojson | fromjson | .a += [1]",
  ];
  for (const program of programs) {
    // A frozen object throws where it is written to, an unfrozen one shows the difference.
    const plain = make();
    const expected = JSON.stringify(compileProgram(program).run(plain, { variables: { v: make() } }));
    expect(plain, program).toEqual(make());
    expect(JSON.stringify(compileProgram(program).run(frozen, { variables })), program).toBe(expected);
  }
});

test("a fold that works in place gives what one that copies gives", () => {
  const folds: [inPlace: string, copying: string][] = [
    [".x = . | .y += [$i]", "[.x = . | .y += [$i]] | .[0]"],
    [".a += [$i] | .b = .a", "[.a += [$i] | .b = .a] | .[0]"],
    [".a.b += 1 | .c = .a | .c.b += 10", "[.a.b += 1 | .c = .a | .c.b += 10] | .[0]"],
    [".l += [.l]", "[.l += [.l]] | .[0]"],
    ['. + {("k\\($i)"): .}', '[. + {("k\\($i)"): .}] | .[0]'],
    [".a |= {p: ., q: .} | .a.p.z = $i", "[.a |= {p: ., q: .}] | .[0] | [.a.p.z = $i] | .[0]"],
    [
      "if $i % 2 == 0 then .e += [$i] else .o += [{k: .e}] end",
      "[if $i % 2 == 0 then .e += [$i] else .o += [{k: .e}] end] | .[0]",
    ],
  ];
  for (const [inPlace, copying] of folds) {
    const fold = (update: string) =>
      JSON.stringify(compileProgram(`[foreach range(5) as $i ({}; ${update})] | last`).first(null));
    const reduced = JSON.stringify(compileProgram(`reduce range(5) as $i ({}; ${inPlace})`).first(null));
    expect(reduced, inPlace).toBe(fold(inPlace));
    expect(reduced, inPlace).toBe(
      JSON.stringify(compileProgram(`reduce range(5) as $i ({}; ${copying})`).first(null)),
    );
  }
});
