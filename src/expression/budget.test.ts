import { expect, test } from "bun:test";
import { Failure } from "../base/errors.ts";
import { type Budget, compileProgram } from "./index.ts";

function budgetOf(program: string, budget: Partial<Budget> = {}): unknown {
  try {
    compileProgram(program).run(null, { budget });
  } catch (error) {
    if (error instanceof Failure && error.code === "expression_budget") return error.details?.["budget"];
    throw error;
  }
  return "none";
}

const ENDLESS: [program: string, budget: keyof Budget][] = [
  ["[limit(1e9; repeat(1))]", "steps"],
  ["last(repeat(1))", "steps"],
  ["until(false; .)", "steps"],
  ["reduce range(1e9) as $i (0; . + 1)", "steps"],
  ["def f: f; f", "steps"],
  ["[range(1e9)]", "outputBytes"],
  ['"x" * 1e9', "outputBytes"],
  ["[recurse([., .])] | length", "outputBytes"],
  [".[1e8] = 1", "outputBytes"],
  ['reduce range(40) as $i ("x"; . + .)', "outputBytes"],
  ["reduce range(64) as $i (1; [., .])", "outputBytes"],
  ["[range(1e4)] | [combinations(4)]", "outputBytes"],
  ["def f: 1 + f; f", "depth"],
  ["def f: f, f; [f]", "depth"],
  ["def f: [f]; f", "depth"],
  ["def f(g): f(g | g); f(.)", "steps"],
  ["reduce range(1e5) as $i (null; [.])", "depth"],
  ["reduce range(1e5) as $i (null; [.]) | [..] | length", "depth"],
  ["reduce range(1e5) as $i (null; [.]) | tojson", "depth"],
  ["(reduce range(1e5) as $i (null; [.])) as $x | $x == (reduce range(1e5) as $i (null; [.]))", "depth"],
  ["reduce range(1e5) as $i (null; {a: .}) | flatten", "depth"],
  ['null | setpath([range(1e5) | "a"]; 1)', "depth"],
  ['("a" * 40) | test("(a+)+$b")', "steps"],
  ['("a" * 5000) | test("(a|aa)+$b")', "steps"],
  ['("a" * 50000) | test("(.*)(.*)(.*)b")', "steps"],
  ['("a" * 100000) | test("(?:a?){500}b")', "steps"],
];

for (const [program, budget] of ENDLESS) {
  test(`${program} ends at its ${budget}`, () => {
    expect(budgetOf(program)).toBe(budget);
    // The process is well: the same evaluator goes on.
    expect(compileProgram("[.[] | . + 1]").run([1, 2])).toEqual([[2, 3]]);
  });
}

test("a program cannot catch the end of its budget", () => {
  expect(budgetOf("try repeat(1) catch 0 | empty")).toBe("steps");
  expect(budgetOf("[.[]?, (range(1e9)?)] // 1")).toBe("outputBytes");
  expect(budgetOf("def f: 1 + f; try f catch 0")).toBe("depth");
});

test("a budget is used up at the same point every time", () => {
  const program = compileProgram("[range(100) | {a: ., b: [., .]}] | map(.b | add) | add");
  let low = 0;
  for (let high = 100_000; high - low > 1; ) {
    const middle = (low + high) >> 1;
    if (budgetOf(program.source, { steps: middle }) === "none") high = middle;
    else low = middle;
  }
  for (let again = 0; again < 3; again++) {
    expect(budgetOf(program.source, { steps: low })).toBe("steps");
    expect(budgetOf(program.source, { steps: low + 1 })).toBe("none");
  }
});

test("each budget can be set apart", () => {
  expect(budgetOf("[range(100)]", { steps: 50 })).toBe("steps");
  expect(budgetOf("[range(100)]", { outputBytes: 100 })).toBe("outputBytes");
  expect(budgetOf("def f: if . > 20 then 0 else 1 + (. + 1 | f) end; 0 | f", { depth: 10 })).toBe("depth");
  expect(budgetOf("last(repeat(1))", { steps: 1e12, wallMs: 1 })).toBe("wallMs");
});

test("a watchdog leaves what ends in time alone", () => {
  expect(
    compileProgram("reduce range(1e5) as $i (0; . + 1)").first(null, { budget: { wallMs: 60_000 } }),
  ).toBe(1e5);
});

test("depth that a catch has left is free again", () => {
  const program =
    "def f: if . > 50 then error else . + 1 | [f] end; [range(500) | try (0 | f) catch 1] | length";
  expect(compileProgram(program).first(null)).toBe(500);
});

test("a function whose last step is a call of itself takes no depth", () => {
  expect(compileProgram("def f: if . >= 1e5 then . else . + 1 | f end; 0 | f").first(null)).toBe(1e5);
  expect(compileProgram("def f($n): if $n >= 1e5 then $n else f($n + 1) end; f(0)").first(null)).toBe(1e5);
  const stream = "def count: ., (. + 1 | count); last(limit(1e5; 0 | count))";
  expect(compileProgram(stream).first(null)).toBe(99_999);
});

test("folding a long list costs what its items cost, not their square", () => {
  expect(compileProgram("reduce range(1e5) as $i ([]; . + [$i]) | length").first(null)).toBe(1e5);
  expect(compileProgram('reduce range(2e4) as $i ({}; .["k\\($i)"] += $i) | length').first(null)).toBe(2e4);
  expect(
    compileProgram("reduce range(1e5) as $i ({n: [], s: 0}; .n += [$i] | .s += $i) | .s").first(null),
  ).toBe(4_999_950_000);
});

test("a program that is itself too deep or too long is refused", () => {
  expect(() => compileProgram("(".repeat(5000))).toThrow("nests more than");
  expect(() => compileProgram("[".repeat(5000))).toThrow("nests more than");
  expect(() => compileProgram(`.${"[0]".repeat(50_000)}`)).toThrow("in one chain");
  expect(() => compileProgram(`1${"+1".repeat(50_000)}`)).toThrow("in one chain");
  expect(() => compileProgram(" ".repeat(300_000))).toThrow("longer than");
  let doubling = "def f0: .;";
  for (let i = 1; i < 30; i++) doubling += `def f${i}: f${i - 1} | f${i - 1};`;
  expect(compileProgram(`${doubling} 1`).first(null)).toBe(1);
});
