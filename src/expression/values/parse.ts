import type { Json } from "../../base/json.ts";
import { charge, spend } from "../meter.ts";
import { raise } from "./failure.ts";

const NUMBER = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A number as jq 1.8's `tonumber` takes it: no blanks, no other words than `nan`; null where it is none. */
export function parseNumber(text: string): number | null {
  if (NUMBER.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : Math.sign(value) * Number.MAX_VALUE;
  }
  return text === "nan" || text === "-nan" ? Number.NaN : null;
}

/** One JSON text, as `fromjson` takes it: `nan` is a number there, and numbers out of range are the largest ones. */
export function parseText(text: string): Json {
  spend(text.length >> 3);
  charge(text.length);
  const shown = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  if (text.trim() === "") throw raise(`Expected JSON value (while parsing '${shown}')`);
  if (text === "nan" || text === "NaN") return Number.NaN;
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^JSON Parse error: /, "") : "invalid JSON";
    throw raise(`${reason} (while parsing '${shown}')`);
  }
}
