import type { Json, JsonObject } from "../../src/base/json.ts";
import { compileProgram } from "../../src/expression/index.ts";

interface Timing {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Microseconds for one call: the median, and the range of the middle eight of ten rounds. */
function timing(rounds: readonly number[]): Timing {
  const sorted = [...rounds].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { median: at(0.5), low: at(0.1), high: at(0.9) };
}

/** Both sides in turn, so that whatever else the machine does meets them alike. */
function paired(calls: number, left: () => unknown, right: () => unknown): [Timing, Timing] {
  const times: [number[], number[]] = [[], []];
  for (let round = -3; round < 21; round++) {
    for (const [side, work] of [left, right].entries()) {
      const start = performance.now();
      for (let i = 0; i < calls; i++) work();
      const each = ((performance.now() - start) * 1000) / calls;
      if (round >= 0) times[side]!.push(each);
    }
  }
  return [timing(times[0]), timing(times[1])];
}

const shown = ({ median, low, high }: Timing): string =>
  `${median.toFixed(2).padStart(9)} µs  (${low.toFixed(2)} to ${high.toFixed(2)})`;

const isObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `.name` with jq's meaning: null for what is absent, an error for what has no members. */
function member(value: Json, name: string): Json {
  if (value === null) return null;
  if (!isObject(value)) throw new TypeError(`cannot index with ${name}`);
  return value[name] ?? null;
}

function plus(a: Json, b: Json): Json {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (a === null) return b;
  if (b === null) return a;
  throw new TypeError("cannot be added");
}

const items: Json[] = Array.from({ length: 10_000 }, (_, index) => ({
  a: index,
  b: `item ${index}`,
  c: index % 7,
}));
const small: Json = { a: { b: 41 }, items: [{ x: 1 }, { x: 2 }, { x: 3 }], name: "Ada", ok: true };

const CASES: { program: string; input: Json; calls: number; plain: (input: Json) => Json }[] = [
  {
    program: ".a.b + 1",
    input: small,
    calls: 5000,
    plain: (input) => plus(member(member(input, "a"), "b"), 1),
  },
  {
    program: ".items | map(.x) | add",
    input: small,
    calls: 5000,
    plain: (input) => (member(input, "items") as Json[]).map((item) => member(item, "x")).reduce(plus, null),
  },
  {
    program: '"Hello \\(.name)"',
    input: small,
    calls: 5000,
    plain: (input) => `Hello ${String(member(input, "name"))}`,
  },
  {
    program: "{user: .name, ok, total: (.a.b * 2)}",
    input: small,
    calls: 5000,
    plain: (input) => ({
      user: member(input, "name"),
      ok: member(input, "ok"),
      total: (member(member(input, "a"), "b") as number) * 2,
    }),
  },
  {
    program: 'if .ok and (.name | startswith("A")) then .a.b else null end',
    input: small,
    calls: 5000,
    plain: (input) =>
      member(input, "ok") === true && (member(input, "name") as string).startsWith("A")
        ? member(member(input, "a"), "b")
        : null,
  },
  {
    program: "map(.a + 1)",
    input: items,
    calls: 20,
    plain: (input) => (input as Json[]).map((item) => plus(member(item, "a"), 1)),
  },
  {
    program: "map(select(.c == 3) | .b)",
    input: items,
    calls: 20,
    plain: (input) =>
      (input as Json[]).filter((item) => member(item, "c") === 3).map((item) => member(item, "b")),
  },
  {
    program: "map({a, d: (.c * 2)})",
    input: items,
    calls: 20,
    plain: (input) =>
      (input as Json[]).map((item) => ({ a: member(item, "a"), d: (member(item, "c") as number) * 2 })),
  },
  {
    program: "reduce .[] as $item (0; . + $item.a)",
    input: items,
    calls: 20,
    plain: (input) => (input as Json[]).reduce<Json>((sum, item) => plus(sum, member(item, "a")), 0),
  },
];

/** Cached jq programs beside the same written in JavaScript with the same checks. No files, so no fsync. */
export async function run(): Promise<void> {
  for (const { program, input, calls, plain } of CASES) {
    const same = JSON.stringify(compileProgram(program).first(input)) === JSON.stringify(plain(input));
    if (!same) throw new Error(`${program} and its JavaScript differ`);
    const [jq, javascript] = paired(
      calls,
      () => compileProgram(program).first(input),
      () => plain(input),
    );
    console.log(program);
    console.log(`  jq          ${shown(jq)}`);
    console.log(`  JavaScript  ${shown(javascript)}   ratio ${(jq.median / javascript.median).toFixed(2)}`);
  }
}

if (import.meta.main) await run();
