import type { Json } from "../../base/json.ts";
import { charge, spend } from "../meter.ts";
import { raise } from "./failure.ts";

const NUMBER = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A number as jq 1.8's `tonumber` takes it: no blanks, no other words than `nan`; null where it is none. */
export function parseNumber(text: string): number | null {
  if (NUMBER.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : Math.sign(value) * Number.MAX_VALUE;
  }
  return text === "nan" || text === "-nan" ? Number.NaN : null;
}

/** Deeper texts are refused before the engine's parser could run out of stack. */
const DEEPEST = 10_000;

function checkNesting(text: string): void {
  if (text.length < DEEPEST) return;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // The case bit joins `[` with `{` and `]` with `}`. Brackets in strings make this stricter, never laxer.
    if ((code | 0x20) === 0x7b && ++depth > DEEPEST) throw raise("Exceeds depth limit for parsing");
    else if ((code | 0x20) === 0x7d) depth--;
  }
}

/** One JSON text, as `fromjson` takes it: `nan` is a number there, and numbers out of range are the largest ones. */
export function parseText(text: string): Json {
  spend(text.length >> 3);
  charge(text.length);
  const shown = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  if (text.trim() === "") throw raise(`Expected JSON value (while parsing '${shown}')`);
  if (text === "nan" || text === "NaN") return Number.NaN;
  checkNesting(text);
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^JSON Parse error: /, "") : "invalid JSON";
    throw raise(`${reason} (while parsing '${shown}')`);
  }
}
