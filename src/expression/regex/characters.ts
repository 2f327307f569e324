import { raise } from "../values/failure.ts";

/** A set of code points: a table for ASCII, a question for the rest. */
export class CharacterSet {
  readonly #ascii = new Uint8Array(128);
  readonly #other: (code: number) => boolean;
  constructor(holds: (code: number) => boolean) {
    for (let code = 0; code < 128; code++) this.#ascii[code] = holds(code) ? 1 : 0;
    this.#other = holds;
  }
  has(code: number): boolean {
    return code < 128 ? this.#ascii[code] === 1 : this.#other(code);
  }
}

export type Holds = (code: number) => boolean;

/**
 * JavaScript's tables of Unicode properties, asked for one character at a time: such a pattern cannot backtrack, and
 * its answers are those of the binary on every machine.
 */
function property(expression: string): Holds {
  const pattern = new RegExp(`^${expression}$`, "u");
  return (code) => pattern.test(String.fromCodePoint(code));
}

const range =
  (from: string, to: string): Holds =>
  (code) =>
    code >= from.charCodeAt(0) && code <= to.charCodeAt(0);
const either =
  (...parts: Holds[]): Holds =>
  (code) =>
    parts.some((holds) => holds(code));

export const isWord = property("[\\p{L}\\p{M}\\p{N}\\p{Pc}]");
export const isDigit = property("\\p{Nd}");
export const isSpace: Holds = (code) =>
  (code >= 9 && code <= 13) ||
  code === 0x20 ||
  code === 0x85 ||
  code === 0xa0 ||
  code === 0x1680 ||
  (code >= 0x2000 && code <= 0x200a) ||
  code === 0x2028 ||
  code === 0x2029 ||
  code === 0x202f ||
  code === 0x205f ||
  code === 0x3000;
export const isHexDigit = either(range("0", "9"), range("a", "f"), range("A", "F"));

const POSIX: Record<string, Holds> = {
  alnum: property("[\\p{L}\\p{M}\\p{Nd}]"),
  alpha: property("[\\p{L}\\p{M}]"),
  ascii: (code) => code < 128,
  blank: (code) => code === 9 || property("\\p{Zs}")(code),
  cntrl: property("[\\p{Cc}\\p{Cf}\\p{Cn}\\p{Co}\\p{Cs}]"),
  digit: isDigit,
  graph: (code) => !isSpace(code) && !property("[\\p{Cc}\\p{Cn}\\p{Cs}]")(code),
  lower: property("\\p{Ll}"),
  print: (code) => !property("[\\p{Cc}\\p{Cn}\\p{Cs}]")(code),
  punct: property("[\\p{P}\\p{S}]"),
  space: isSpace,
  upper: property("\\p{Lu}"),
  word: isWord,
  xdigit: isHexDigit,
};

/** `[:name:]`, and the same names in `\p{…}`. */
export function posixClass(name: string): Holds | null {
  return Object.hasOwn(POSIX, name) ? POSIX[name]! : null;
}

const cache = new Map<string, Holds>();

/** `\p{Name}`: a POSIX name, a general category, a script or a binary property. */
export function unicodeClass(name: string): Holds {
  const known = cache.get(name);
  if (known !== undefined) return known;
  const posix = posixClass(name.toLowerCase().replaceAll(/[ _-]/g, ""));
  let found = posix;
  for (const expression of [`\\p{${name}}`, `\\p{Script=${name}}`]) {
    if (found !== null) break;
    if (!/^[A-Za-z0-9_=]+$/.test(name)) break;
    try {
      found = property(expression);
    } catch {}
  }
  if (found === null) throw raise(`Regex failure: invalid character property name {${name}}`);
  cache.set(name, found);
  return found;
}

/** The simple lower-case partner of a code point, itself where there is none of one code point. */
export function fold(code: number): number {
  if (code < 128) return code >= 0x41 && code <= 0x5a ? code + 32 : code;
  const lower = String.fromCodePoint(code).toLowerCase();
  const folded = lower.codePointAt(0)!;
  return lower.length === (folded > 0xffff ? 2 : 1) ? folded : code;
}

/** The set with the other case of each member. */
export function ignoringCase(holds: Holds): Holds {
  return (code) => {
    if (holds(code) || holds(fold(code))) return true;
    const upper = String.fromCodePoint(code).toUpperCase();
    const other = upper.codePointAt(0)!;
    return upper.length === (other > 0xffff ? 2 : 1) && holds(other);
  };
}
