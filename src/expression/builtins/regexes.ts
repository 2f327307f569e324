import type { Json, JsonObject } from "../../base/json.ts";
import { collect, type Filter, many, product, single } from "../compile/filter.ts";
import { ARRAY_BYTES, charge, ITEM_BYTES, MEMBER_BYTES, OBJECT_BYTES, step } from "../meter.ts";
import { codePoints, compileRegex, eachMatch, type Positions, type Regex } from "../regex/index.ts";
import { add } from "../values/arithmetic.ts";
import { raise, raiseFor } from "../values/failure.ts";
import { typeName } from "../values/kind.ts";
import { setMember } from "../values/object.ts";
import { isWide } from "../values/text.ts";
import type { Native, Table } from "./define.ts";

interface Search {
  readonly regex: Regex;
  readonly text: string;
  readonly codes: ArrayLike<number>;
  /** Cut by code points. */
  readonly cut: (from: number, to: number) => string;
}

function prepare(input: Json, pattern: Json, flags: Json, extra = ""): Search {
  if (typeof input !== "string") throw raiseFor(input, "cannot be matched, as it is not a string");
  if (typeof pattern !== "string") throw raiseFor(pattern, "is not a string");
  if (flags !== null && typeof flags !== "string") throw raiseFor(flags, "is not a string");
  const regex = compileRegex(pattern, `${flags ?? ""}${extra}`);
  const codes = codePoints(input);
  const wide = isWide(input);
  const cut = (from: number, to: number): string => {
    charge(to - from);
    if (!wide) return input.slice(from, to);
    let text = "";
    for (let at = from; at < to; at++) text += String.fromCodePoint(codes[at]!);
    return text;
  };
  return { regex, text: input, codes, cut };
}

function matchesOf(search: Search): Positions[] {
  const all: Positions[] = [];
  eachMatch(search.regex, search.codes, (match) => {
    charge(ARRAY_BYTES + match.length * 4);
    all.push(match);
    return false;
  });
  return all;
}

function describeMatch({ cut, regex }: Search, match: Positions): JsonObject {
  charge(OBJECT_BYTES + (4 + regex.names.length * 6) * MEMBER_BYTES);
  const captures = regex.names.map((name, position): JsonObject => {
    const from = match[2 * position + 2]!;
    const to = match[2 * position + 3]!;
    if (from === -1 || to === -1) return { offset: -1, string: null, length: 0, name };
    return { offset: from, length: to - from, string: cut(from, to), name };
  });
  const [from, to] = [match[0]!, match[1]!];
  return { offset: from, length: to - from, string: cut(from, to), captures };
}

/** The texts of the named groups, by name. */
function named({ cut, regex }: Search, match: Positions): JsonObject {
  const found: JsonObject = {};
  regex.names.forEach((name, position) => {
    if (name === null) return;
    charge(MEMBER_BYTES);
    const from = match[2 * position + 2]!;
    const to = match[2 * position + 3]!;
    setMember(found, name, from === -1 || to === -1 ? null : cut(from, to));
  });
  return found;
}

type Use = (search: Search, emit: (value: Json) => boolean) => boolean;

/** A function of a pattern, or a list `[pattern, flags]`, or of both apart. */
function searching(use: Use, extra = "", listed = true): Record<"one" | "two", Native> {
  const run = (input: Json, pattern: Json, emit: (value: Json) => boolean): boolean => {
    if (listed && Array.isArray(pattern)) {
      if (pattern.length === 0) throw raise("array not a string or array");
      return use(prepare(input, pattern[0]!, pattern[1] ?? null, extra), emit);
    }
    if (listed && typeof pattern !== "string") throw raise(`${typeName(pattern)} not a string or array`);
    return use(prepare(input, pattern, null, extra), emit);
  };
  return {
    one: ([pattern]) =>
      many((input, env, emit) => pattern!.each(input, env, (value) => run(input, value, emit))),
    two: (list) =>
      many((input, env, emit) =>
        product(list, input, env, (values) => use(prepare(input, values[0]!, values[1]!, extra), emit)),
      ),
  };
}

const each =
  (describe: (search: Search, match: Positions) => Json): Use =>
  (search, emit) => {
    for (const match of matchesOf(search)) {
      step();
      if (emit(describe(search, match))) return true;
    }
    return false;
  };

const found = (search: Search): boolean => {
  let any = false;
  eachMatch(search.regex, search.codes, () => {
    any = true;
    return true;
  });
  return any;
};

function pieces(search: Search): string[] {
  const parts: string[] = [];
  let from = 0;
  for (const match of matchesOf(search)) {
    charge(ITEM_BYTES);
    parts.push(search.cut(from, Math.max(from, match[0]!)));
    from = match[1]!;
  }
  parts.push(search.cut(from, search.codes.length));
  return parts;
}

function scanned(search: Search, match: Positions): Json {
  const described = describeMatch(search, match);
  const captures = described["captures"] as JsonObject[];
  return captures.length > 0 ? captures.map((capture) => capture["string"]!) : described["string"]!;
}

/**
 * `sub`, `gsub`: the n-th result is made of the n-th outputs of the replacement at every match; a replacement without
 * outputs leaves the text as it is.
 */
function substitute(replacement: Filter, pattern: Filter, flags: Filter | null, extra: string): Filter {
  const run = (
    input: Json,
    expression: Json,
    modifiers: Json,
    env: Parameters<Filter["each"]>[1],
  ): Json[] => {
    const search = prepare(input, expression, modifiers, extra);
    const results: Json[] = [];
    let from = 0;
    for (const match of matchesOf(search)) {
      step();
      const gap = search.cut(from, Math.max(from, match[0]!));
      collect(replacement, named(search, match), env).forEach((piece, position) => {
        results[position] = add(add(results[position] ?? null, gap), piece);
      });
      from = match[1]!;
    }
    const rest = search.cut(from, search.codes.length);
    return results.length === 0 ? [input] : results.map((result) => add(result, rest));
  };
  const re = pattern.one;
  const modes = flags === null ? () => "" : flags.one;
  if (re !== null && modes !== null && replacement.one !== null) {
    return single((input, env) => run(input, re(input, env), modes(input, env), env)[0]!);
  }
  return many((input, env, emit) =>
    pattern.each(input, env, (expression) => {
      const go = (modifiers: Json): boolean => run(input, expression, modifiers, env).some(emit);
      return flags === null ? go("") : flags.each(input, env, go);
    }),
  );
}

const test = searching((search, emit) => emit(found(search)));
const match = searching(each(describeMatch));
const capture = searching(each(named));
const scan = searching(each(scanned), "g", false);
const splits = searching((search, emit) => pieces(search).some(emit), "g", false);
const split = searching((search, emit) => emit(pieces(search)), "g", false);

/** `test` has one output for each pattern: most have one. */
const testOne: Native = ([pattern]) => {
  const one = pattern!.one;
  if (one === null) return test.one([pattern!]);
  return single((input, env) => {
    const value = one(input, env);
    if (typeof value === "string") return found(prepare(input, value, null));
    let result: Json = null;
    test.one([single(() => value)]).each(input, env, (answer) => {
      result = answer;
      return true;
    });
    return result;
  });
};

export const REGEXES: Table = {
  "test/1": testOne,
  "test/2": test.two,
  "match/1": match.one,
  "match/2": match.two,
  "capture/1": capture.one,
  "capture/2": capture.two,
  "scan/1": scan.one,
  "scan/2": scan.two,
  "splits/1": splits.one,
  "splits/2": splits.two,
  "split/2": split.two,
  "sub/2": ([pattern, replacement]) => substitute(replacement!, pattern!, null, ""),
  "sub/3": ([pattern, replacement, flags]) => substitute(replacement!, pattern!, flags!, ""),
  "gsub/2": ([pattern, replacement]) => substitute(replacement!, pattern!, null, "g"),
  "gsub/3": ([pattern, replacement, flags]) => substitute(replacement!, pattern!, flags!, "g"),
};
