import { Failure } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { pointerTokens } from "../base/pointer.ts";
import { parseStrictJson } from "../base/strict-json.ts";
import type { Diagnostic, Position, Positions } from "./diagnostic.ts";

export interface LoadedValue {
  readonly value: Json;
  readonly positions: Positions;
}

/** A JSON text as a value, or what is wrong with it. */
export function loadJson(text: string): LoadedValue | Diagnostic[] {
  try {
    return { value: parseStrictJson(text, LIMITS.documentDepth), positions: jsonPositions(text) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const offset = typeof error.details?.["offset"] === "number" ? error.details["offset"] : 0;
    const code = error.message.startsWith("duplicate key")
      ? "duplicate_key"
      : error.message.includes("levels")
        ? "too_deep"
        : "syntax";
    return [{ code, severity: "error", pointer: "", message: error.message, ...positionAt(text, offset) }];
  }
}

/** Line and column, both from 1, of an offset. */
function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  let line = 1;
  for (let at = before.indexOf("\n"); at !== -1; at = before.indexOf("\n", at + 1)) line++;
  return { line, column: offset - lineStart + 1 };
}

const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]+/y;
const BLANK = /[\s]*/y;

/** Finds values in a text that is known to be valid JSON, by walking over it once for each question. */
function jsonPositions(text: string): Positions {
  const blank = (at: number): number => {
    BLANK.lastIndex = at;
    BLANK.exec(text);
    return BLANK.lastIndex;
  };
  const token = (pattern: RegExp, at: number): number => {
    pattern.lastIndex = at;
    pattern.exec(text);
    return pattern.lastIndex;
  };
  const end = (start: number): number => {
    let at = start;
    let depth = 0;
    do {
      at = blank(at);
      const character = text[at];
      if (character === "{" || character === "[") depth++;
      else if (character === "}" || character === "]") depth--;
      if (character === '"') at = token(STRING, at);
      else if (character !== undefined && "{}[],:".includes(character)) at++;
      else at = token(SCALAR, at);
    } while (depth > 0 && at < text.length);
    return at;
  };
  /** Offsets of the key and the value of one member of the container at `at`. */
  const member = (container: number, wanted: string): { key: number; value: number } | undefined => {
    const isArray = text[container] === "[";
    if (!isArray && text[container] !== "{") return undefined;
    let at = blank(container + 1);
    for (let index = 0; text[at] !== "}" && text[at] !== "]"; index++) {
      const key = at;
      let name = String(index);
      if (!isArray) {
        const keyEnd = token(STRING, at);
        name = JSON.parse(text.slice(at, keyEnd)) as string;
        at = blank(blank(keyEnd) + 1);
      }
      if (name === wanted) return { key, value: at };
      at = blank(end(at));
      if (text[at] === ",") at = blank(at + 1);
    }
    return undefined;
  };
  return (pointer, part = "value") => {
    let at = { key: blank(0), value: blank(0) };
    for (const name of pointerTokens(pointer)) {
      const next = member(at.value, name);
      if (next === undefined) break;
      at = next;
    }
    return positionAt(text, at[part]);
  };
}
