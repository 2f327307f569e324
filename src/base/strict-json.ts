import { fail } from "./errors.ts";
import type { Json, JsonObject } from "./json.ts";

/**
 * A JSON reader for bodies that get digested: duplicate keys, integers beyond ±(2^53−1), lone surrogates, a byte
 * order mark and trailing text are refused, each with its offset. `JSON.parse` would take all of them in silence.
 */
export function parseStrictJson(text: string, maximumDepth = 64): Json {
  if (!SUSPECT.test(text) && bracketCount(text) <= maximumDepth) {
    const value = parsePlain(text);
    // What prints as it was written has no duplicate key and lost no digit.
    if (value !== undefined && JSON.stringify(value) === text) return value;
  }
  return readStrictly(text, maximumDepth);
}

/** Long digits, escaped surrogates and the prototype's name are looked at one by one. */
const SUSPECT = /\d{16}|\\u[dD]|__proto__/;

function bracketCount(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) count++;
  }
  return count;
}

function parsePlain(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // The strict reader says where.
    return undefined;
  }
}

function readStrictly(text: string, maximumDepth: number): Json {
  let at = 0;

  const refuse = (reason: string): never => {
    throw fail("invalid_json", `${reason} at offset ${at}`, { details: { offset: at } });
  };

  const skip = (): void => {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) at++;
      else return;
    }
  };

  const string = (): string => {
    const start = at++;
    for (;;) {
      const code = text.charCodeAt(at);
      if (Number.isNaN(code)) return refuse("unterminated string");
      if (code === 0x22) break;
      if (code < 0x20) return refuse("control character in a string");
      at += code === 0x5c ? 2 : 1;
    }
    at++;
    let value: string;
    try {
      value = JSON.parse(text.slice(start, at)) as string;
    } catch {
      at = start;
      return refuse("invalid string");
    }
    if (!value.isWellFormed()) {
      at = start;
      return refuse("lone surrogate in a string");
    }
    return value;
  };

  const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
  const number = (): number => {
    NUMBER.lastIndex = at;
    const match = NUMBER.exec(text);
    if (match === null) return refuse("unexpected character");
    const value = Number(match[0]);
    if (!Number.isFinite(value)) return refuse("number out of range");
    if (/^-?\d+$/.test(match[0]) && !Number.isSafeInteger(value)) return refuse("integer beyond 2^53−1");
    at += match[0].length;
    return value;
  };

  const object = (depth: number): JsonObject => {
    const result: JsonObject = {};
    at++;
    skip();
    if (text[at] === "}") {
      at++;
      return result;
    }
    for (;;) {
      skip();
      if (text[at] !== '"') return refuse("expected a key");
      const keyAt = at;
      const key = string();
      if (Object.hasOwn(result, key)) {
        at = keyAt;
        return refuse(`duplicate key ${JSON.stringify(key)}`);
      }
      skip();
      if (text[at] !== ":") return refuse("expected ':'");
      at++;
      const member = value(depth);
      // `__proto__` as an assigned key would set the prototype.
      Object.defineProperty(result, key, {
        value: member,
        enumerable: true,
        writable: true,
        configurable: true,
      });
      skip();
      if (text[at] === ",") at++;
      else if (text[at] === "}") {
        at++;
        return result;
      } else return refuse("expected ',' or '}'");
    }
  };

  const array = (depth: number): Json[] => {
    const result: Json[] = [];
    at++;
    skip();
    if (text[at] === "]") {
      at++;
      return result;
    }
    for (;;) {
      result.push(value(depth));
      skip();
      if (text[at] === ",") at++;
      else if (text[at] === "]") {
        at++;
        return result;
      } else return refuse("expected ',' or ']'");
    }
  };

  const value = (depth: number): Json => {
    if (depth > maximumDepth) return refuse(`more than ${maximumDepth} levels`);
    skip();
    switch (text[at]) {
      case "{":
        return object(depth + 1);
      case "[":
        return array(depth + 1);
      case '"':
        return string();
      default:
    }
    for (const [word, literal] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return literal;
      }
    }
    return number();
  };

  const result = value(0);
  skip();
  if (at < text.length) refuse("unexpected text after the value");
  return result;
}
