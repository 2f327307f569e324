import { type Raised, raise } from "../values/failure.ts";
import {
  CharacterSet,
  type Holds,
  ignoringCase,
  isDigit,
  isHexDigit,
  isSpace,
  isWord,
  posixClass,
  unicodeClass,
} from "./characters.ts";
import type { Anchor, Flags, ParsedPattern, Pattern } from "./pattern.ts";

const MAXIMUM_NESTING = 150;
const MAXIMUM_REPEAT = 100_000;
const NO_LIMIT = Number.POSITIVE_INFINITY;
const ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, f: 12, a: 7, e: 27 };
const CLASSES: Record<string, Holds> = { d: isDigit, w: isWord, s: isSpace };
const ANCHORS: Record<string, Anchor> = {
  A: "text-start",
  z: "text-end",
  Z: "text-end-or-newline",
  b: "word",
  B: "not-word",
  G: "search-start",
};

const BREAK_CODES = new Set([10, 11, 12, 13, 0x85, 0x2028, 0x2029]);
/** `\R`: the two characters of a network line break first. */
const LINE_BREAK: Pattern = {
  kind: "atomic",
  body: {
    kind: "choice",
    items: [
      {
        kind: "sequence",
        items: [
          { kind: "character", code: 13, ignoreCase: false },
          { kind: "character", code: 10, ignoreCase: false },
        ],
      },
      { kind: "set", set: new CharacterSet((code) => BREAK_CODES.has(code)) },
    ],
  },
};

export function regexFailure(reason: string): Raised {
  return raise(`Regex failure: ${reason}`);
}

/** Oniguruma's Perl syntax with named groups, as far as jq programs use it. @throws a catchable error */
export function parsePattern(source: string, initial: Flags): ParsedPattern {
  const codes = Array.from(source, (character) => character.codePointAt(0)!);
  const names: (string | null)[] = [];
  const references: { groups: number[]; name: string }[] = [];
  let at = 0;
  let nesting = 0;

  const isNext = (text: string): boolean => {
    for (let i = 0; i < text.length; i++) if (codes[at + i] !== text.charCodeAt(i)) return false;
    return true;
  };
  const take = (text: string): boolean => {
    if (!isNext(text)) return false;
    at += text.length;
    return true;
  };
  const until = (end: string): string => {
    const start = at;
    while (at < codes.length && !isNext(end)) at++;
    if (at >= codes.length) throw regexFailure("end pattern in group");
    const text = String.fromCodePoint(...codes.slice(start, Math.min(at, start + 1000)));
    at += end.length;
    return text;
  };
  const character = (): string => String.fromCodePoint(codes[at++]!);
  const set = (holds: Holds): Pattern => ({ kind: "set", set: new CharacterSet(holds) });

  const skipExtended = (): void => {
    for (;;) {
      if (at < codes.length && isSpace(codes[at]!)) at++;
      else if (isNext("#")) while (at < codes.length && codes[at] !== 10) at++;
      else return;
    }
  };

  const choice = (flags: Flags): Pattern => {
    if (++nesting > MAXIMUM_NESTING) throw regexFailure("too deep nest level");
    const items: Pattern[] = [];
    // An option group without a body, `(?i)`, holds to the end of the group around it, alternatives included.
    const current = { flags };
    do items.push(sequence(current));
    while (take("|"));
    nesting--;
    return items.length === 1 ? items[0]! : { kind: "choice", items };
  };

  const sequence = (current: { flags: Flags }): Pattern => {
    const items: Pattern[] = [];
    for (;;) {
      if (current.flags.extended) skipExtended();
      if (at >= codes.length || isNext("|") || isNext(")")) break;
      const item = atom(current);
      if (item !== null) items.push(quantified(item, current.flags));
    }
    return items.length === 1
      ? items[0]!
      : items.length === 0
        ? { kind: "empty" }
        : { kind: "sequence", items };
  };

  const quantified = (item: Pattern, flags: Flags): Pattern => {
    let body = item;
    for (;;) {
      if (flags.extended) skipExtended();
      let bounds: [number, number] | null = null;
      if (take("*")) bounds = [0, NO_LIMIT];
      else if (take("+")) bounds = [1, NO_LIMIT];
      else if (take("?")) bounds = [0, 1];
      else if (isNext("{")) bounds = intervalBounds();
      if (bounds === null) return body;
      if (body.kind === "anchor" || body.kind === "keep")
        throw regexFailure("target of repeat operator is invalid");
      const mode = take("?") ? "lazy" : take("+") ? "possessive" : "greedy";
      body = { kind: "repeat", body, least: bounds[0], most: bounds[1], mode };
    }
  };

  /** `{n}`, `{n,}`, `{n,m}`; anything else is a plain brace. */
  const intervalBounds = (): [number, number] | null => {
    const match = /^\{(\d+)(,?)(\d*)\}/.exec(String.fromCodePoint(...codes.slice(at, at + 24)));
    if (match === null) return null;
    at += match[0].length;
    const least = Number(match[1]);
    const most = match[2] === "" ? least : match[3] === "" ? NO_LIMIT : Number(match[3]);
    if (least > MAXIMUM_REPEAT || (most !== NO_LIMIT && most > MAXIMUM_REPEAT)) {
      throw regexFailure("too big number for repeat range");
    }
    return least > most ? [most, least] : [least, most];
  };

  const atom = (current: { flags: Flags }): Pattern | null => {
    const { flags } = current;
    const code = codes[at]!;
    switch (code) {
      case 0x28:
        at++;
        return group(current);
      case 0x5b:
        at++;
        return set(withCase(bracket(flags), flags));
      case 0x2e:
        at++;
        return set(flags.dotAll ? () => true : (other) => other !== 10);
      case 0x5e:
        at++;
        return { kind: "anchor", at: flags.lines ? "line-start" : "text-start" };
      case 0x24:
        at++;
        return { kind: "anchor", at: flags.lines ? "line-end" : "text-end-or-newline" };
      case 0x5c:
        at++;
        return escaped(flags);
      case 0x2a:
      case 0x2b:
      case 0x3f:
        throw regexFailure("target of repeat operator is not specified");
      default:
        at++;
        return { kind: "character", code, ignoreCase: flags.ignoreCase };
    }
  };

  const withCase = (holds: Holds, flags: Flags): Holds => (flags.ignoreCase ? ignoringCase(holds) : holds);

  const close = (body: Pattern): Pattern => {
    if (!take(")")) throw regexFailure("end pattern with unmatched parenthesis");
    return body;
  };

  const group = (current: { flags: Flags }): Pattern | null => {
    const { flags } = current;
    if (!take("?")) return capture(null, flags);
    if (take("#")) {
      until(")");
      return null;
    }
    if (take(":")) return close(choice(flags));
    if (take("=")) return { kind: "look", behind: false, negative: false, body: close(choice(flags)) };
    if (take("!")) return { kind: "look", behind: false, negative: true, body: close(choice(flags)) };
    if (take(">")) return { kind: "atomic", body: close(choice(flags)) };
    if (take("<=")) return { kind: "look", behind: true, negative: false, body: close(choice(flags)) };
    if (take("<!")) return { kind: "look", behind: true, negative: true, body: close(choice(flags)) };
    if (take("<")) return capture(groupName(until(">")), flags);
    if (take("'")) return capture(groupName(until("'")), flags);
    let inner = flags;
    let on = true;
    for (;;) {
      if (at >= codes.length) throw regexFailure("end pattern in group");
      const letter = character();
      if (letter === "-") on = false;
      else if (letter === "i") inner = { ...inner, ignoreCase: on };
      else if (letter === "x") inner = { ...inner, extended: on };
      else if (letter === "s") inner = { ...inner, dotAll: on };
      else if (letter === "m") inner = { ...inner, lines: on };
      else if (letter === ":") return close(choice(inner));
      else if (letter === ")") {
        current.flags = inner;
        return null;
      } else throw regexFailure("undefined group option");
    }
  };

  const groupName = (name: string): string => {
    if (name === "") throw regexFailure("group name is empty");
    if (!/^[\p{L}_][\p{L}\p{M}\p{N}_]*$/u.test(name)) throw regexFailure(`invalid group name <${name}>`);
    return name;
  };

  const capture = (name: string | null, flags: Flags): Pattern => {
    const index = names.push(name);
    return { kind: "group", index, body: close(choice(flags)) };
  };

  const escaped = (flags: Flags): Pattern => {
    if (at >= codes.length) throw regexFailure("end pattern at escape");
    const letter = character();
    const anchor = Object.hasOwn(ANCHORS, letter) ? ANCHORS[letter] : undefined;
    if (anchor !== undefined) return { kind: "anchor", at: anchor };
    if (letter === "K") return { kind: "keep" };
    if (letter === "R") return LINE_BREAK;
    if (letter === "N") return set((code) => code !== 10);
    if (letter === "O") return set(() => true);
    if (letter === "k" && (isNext("<") || isNext("'"))) {
      const end = take("<") ? ">" : "'";
      if (end === "'") at++;
      const reference = { groups: [] as number[], name: until(end) };
      references.push(reference);
      return { kind: "reference", groups: reference.groups, ignoreCase: flags.ignoreCase };
    }
    if (letter >= "1" && letter <= "9") {
      let digits = letter;
      while (digits.length < 3 && codes[at]! >= 0x30 && codes[at]! <= 0x39) digits += character();
      // Three octal digits are a character, unless there are that many groups.
      if (/^[1-3][0-7]{2}$/.test(digits) && Number(digits) > names.length) {
        return { kind: "character", code: Number.parseInt(digits, 8), ignoreCase: flags.ignoreCase };
      }
      const reference = { groups: [] as number[], name: digits };
      references.push(reference);
      return { kind: "reference", groups: reference.groups, ignoreCase: flags.ignoreCase };
    }
    if (letter === "g") throw regexFailure("calls of groups are not supported");
    const holds = classEscape(letter);
    if (holds !== null) return set(withCase(holds, flags));
    return { kind: "character", code: codeEscape(letter), ignoreCase: flags.ignoreCase };
  };

  const classEscape = (letter: string): Holds | null => {
    const lower = letter.toLowerCase();
    if (Object.hasOwn(CLASSES, lower)) {
      const holds = CLASSES[lower]!;
      return letter === lower ? holds : (code) => !holds(code);
    }
    if (lower !== "p" || !take("{")) return null;
    const negated = take("^") !== (letter === "P");
    const holds = unicodeClass(until("}"));
    return negated ? (code) => !holds(code) : holds;
  };

  const codeEscape = (letter: string): number => {
    if (Object.hasOwn(ESCAPES, letter)) return ESCAPES[letter]!;
    const digits = (most: number, base: "hex" | "octal"): string => {
      let text = "";
      while (text.length < most && at < codes.length) {
        const code = codes[at]!;
        if (base === "hex" ? !isHexDigit(code) : code < 0x30 || code > 0x37) break;
        text += character();
      }
      return text;
    };
    const point = (text: string): number => {
      const value = Number.parseInt(text, 16);
      if (!(value <= 0x10ffff)) throw regexFailure("invalid code point value");
      return value;
    };
    if (letter === "x") return take("{") ? point(until("}")) : Number.parseInt(`0${digits(2, "hex")}`, 16);
    if (letter === "0") return Number.parseInt(`0${digits(2, "octal")}`, 8);
    if (letter === "c" && at < codes.length) return codes[at++]! & 0x1f;
    return letter.codePointAt(0)!;
  };

  /** The inside of `[…]`, behind its opening bracket. */
  const bracket = (flags: Flags): Holds => {
    if (++nesting > MAXIMUM_NESTING) throw regexFailure("too deep nest level");
    const negated = take("^");
    const intersections: Holds[] = [];
    let parts: Holds[] = [];
    let first = true;
    for (;;) {
      if (at >= codes.length) throw regexFailure("premature end of char-class");
      if (isNext("]") && !first) break;
      first = false;
      if (take("&&")) {
        intersections.push(union(parts));
        parts = [];
        continue;
      }
      if (take("[:")) {
        const negatedName = take("^");
        const holds = posixClass(until(":]"));
        if (holds === null) throw regexFailure("invalid POSIX bracket type");
        parts.push(negatedName ? (code) => !holds(code) : holds);
        continue;
      }
      if (take("[")) {
        parts.push(bracket(flags));
        continue;
      }
      const low = member(parts);
      if (low === null) continue;
      if (isNext("-") && codes[at + 1] !== undefined && codes[at + 1] !== 0x5d) {
        at++;
        const rest: Holds[] = [];
        const high = isNext("[") ? null : member(rest);
        if (high === null) {
          parts.push((code) => code === low || code === 0x2d, ...rest);
          continue;
        }
        if (high < low) throw regexFailure("empty range in char class");
        parts.push((code) => code >= low && code <= high);
      } else parts.push((code) => code === low);
    }
    at++;
    nesting--;
    intersections.push(union(parts));
    const all: Holds =
      intersections.length === 1 ? intersections[0]! : (code) => intersections.every((holds) => holds(code));
    return negated ? (code) => !all(code) : all;
  };

  /** One member of a class: a code point, or null where a whole class was added to `parts`. */
  const member = (parts: Holds[]): number | null => {
    if (!take("\\")) return codes[at++]!;
    if (at >= codes.length) throw regexFailure("end pattern at escape");
    const letter = character();
    if (letter === "b") return 8;
    const holds = classEscape(letter);
    if (holds !== null) {
      parts.push(holds);
      return null;
    }
    if (letter >= "1" && letter <= "7") {
      at--;
      return codeEscape("0");
    }
    return codeEscape(letter);
  };

  const root = choice(initial);
  if (at < codes.length) throw regexFailure("unmatched close parenthesis");
  for (const reference of references) resolve(reference, names);
  return { root, names };
}

const union =
  (parts: readonly Holds[]): Holds =>
  (code) =>
    parts.some((holds) => holds(code));

function resolve(reference: { groups: number[]; name: string }, names: readonly (string | null)[]): void {
  const { name, groups } = reference;
  if (/^-?\d+$/.test(name)) {
    const index = Number(name) < 0 ? names.length + 1 + Number(name) : Number(name);
    if (index < 1 || index > names.length) throw regexFailure("invalid backref number/name");
    groups.push(index);
    return;
  }
  names.forEach((other, position) => {
    if (other === name) groups.push(position + 1);
  });
  if (groups.length === 0) throw regexFailure(`undefined name <${name}> reference`);
}
