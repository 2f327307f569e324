import { invalid } from "./invalid.ts";

export type TokenKind =
  | "end"
  | "number"
  | "identifier"
  | "keyword"
  | "field"
  | "variable"
  | "format"
  | "quote"
  | "operator";

export interface Token {
  readonly kind: TokenKind;
  /** The name without its sigil for fields, variables and formats; the raw text for everything else. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const KEYWORDS = new Set(
  "def if then elif else end as reduce foreach try catch label import include and or module __loc__".split(
    " ",
  ),
);
const OPERATORS = [
  ["?//", "//="],
  ["|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "//", "..", "::"],
  [..."|,.=<>+-*/%?:;()[]{}"],
].flat();
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;

function nameAt(source: string, at: number): string | null {
  NAME.lastIndex = at;
  return NAME.exec(source)?.[0] ?? null;
}

/** Where the next token starts: behind white space and `#` comments (an odd run of `\` carries one over the line). */
function skipBlank(source: string, from: number): number {
  let at = from;
  for (;;) {
    const code = source.charCodeAt(at);
    if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) at++;
    else if (code === 0x23) {
      for (; at < source.length; at++) {
        const next = source.charCodeAt(at);
        if (next === 0x5c) at++;
        else if (next === 0x0a || next === 0x0d) break;
      }
    } else return at;
  }
}

/** The token at or behind an offset. A string is only its opening quote: interpolation makes the rest grammar. */
export function tokenAt(source: string, from: number): Token {
  const start = skipBlank(source, from);
  if (start >= source.length) return { kind: "end", text: "", start: source.length, end: source.length };
  const token = (kind: TokenKind, text: string, length: number): Token => ({
    kind,
    text,
    start,
    end: start + length,
  });
  const first = source[start]!;
  if (first === '"') return token("quote", first, 1);
  if (first === "$") {
    const name = nameAt(source, skipBlank(source, start + 1));
    if (name === null) throw invalid(source, start, "a variable name must follow '$'");
    return token("variable", name, skipBlank(source, start + 1) - start + name.length);
  }
  if (first === "@") {
    const name = nameAt(source, start + 1);
    if (name === null) throw invalid(source, start, "a format name must follow '@'");
    return token("format", name, 1 + name.length);
  }
  NUMBER.lastIndex = start;
  const number = NUMBER.exec(source)?.[0];
  if (number !== undefined) return token("number", number, number.length);
  if (first === ".") {
    const name = nameAt(source, start + 1);
    if (name !== null) return token("field", name, 1 + name.length);
  }
  const name = nameAt(source, start);
  if (name !== null) return token(KEYWORDS.has(name) ? "keyword" : "identifier", name, name.length);
  for (const operator of OPERATORS) {
    if (source.startsWith(operator, start)) return token("operator", operator, operator.length);
  }
  throw invalid(
    source,
    start,
    `unexpected character ${JSON.stringify(String.fromCodePoint(source.codePointAt(start)!))}`,
  );
}
