import { spend, step } from "../meter.ts";
import { raise } from "../values/failure.ts";
import { type Assembled, assemble, OP } from "./assemble.ts";
import { matchAt } from "./matcher.ts";
import { parsePattern } from "./parse.ts";

export interface Regex {
  readonly program: Assembled;
  readonly names: readonly (string | null)[];
  readonly global: boolean;
  readonly longest: boolean;
  readonly notEmpty: boolean;
  /** The pattern can only match at the start of the text. */
  readonly anchored: boolean;
}

const CACHED = 256;
const LONGEST_CACHED = 2000;
const cache = new Map<string, Regex>();

/** A pattern with jq's modifiers `gimnpslx`, compiled once. @throws a catchable error */
export function compileRegex(source: string, flags: string): Regex {
  // Charged whether it is cached or not: what a run costs must not depend on what ran before.
  spend(source.length * 4);
  const key = `${flags}/${source}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  for (const flag of flags)
    if (!"gimnpslx".includes(flag)) throw raise(`${flags} is not a valid modifier string`);
  const { root, names } = parsePattern(source, {
    ignoreCase: flags.includes("i"),
    extended: flags.includes("x"),
    dotAll: flags.includes("p") || flags.includes("m"),
    lines: false,
  });
  const program = assemble(root, names.length);
  const first = program.code[0]!;
  const regex: Regex = {
    program,
    names,
    global: flags.includes("g"),
    longest: flags.includes("l"),
    notEmpty: flags.includes("n"),
    anchored: first.op === OP.anchor && first.anchor === "text-start",
  };
  if (source.length > LONGEST_CACHED) return regex;
  if (cache.size >= CACHED) cache.delete(cache.keys().next().value!);
  cache.set(key, regex);
  return regex;
}

/** Positions of a match: two for each group, the whole first; -1 where a group took no part. */
export type Positions = Int32Array;

/** The text as code points, which is what offsets and lengths count. */
export function codePoints(text: string): ArrayLike<number> {
  spend(text.length >> 2);
  const codes = new Uint32Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.codePointAt(at)!;
    if (code > 0xffff) at++;
    codes[length++] = code;
  }
  return codes.subarray(0, length);
}

function lengthOf(match: Positions): number {
  return match[1]! - match[0]!;
}

/** Every match in order, or only the first without the modifier `g`; `see` true stops. */
export function eachMatch(regex: Regex, text: ArrayLike<number>, see: (match: Positions) => boolean): void {
  const { code } = regex.program;
  const literal = code[0]!.op === OP.character ? code[0]!.a : -1;
  let from = 0;
  while (from <= text.length) {
    let found: Positions | null = null;
    for (let at = from; at <= text.length; at++) {
      step();
      if (literal !== -1 && text[at] !== literal) continue;
      const match = matchAt(regex.program, text, at, regex);
      if (match !== null && (found === null || lengthOf(match) > lengthOf(found))) found = match;
      // The longest is sought among all places, as Oniguruma does.
      if (regex.anchored || (found !== null && !regex.longest)) break;
    }
    if (found === null || see(found) || !regex.global) return;
    from = found[1]! > found[0]! ? found[1]! : found[1]! + 1;
    if (regex.anchored) return;
  }
}
