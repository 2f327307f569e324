import type { Json, JsonObject } from "../../base/json.ts";
import { enter, leave, spend, step } from "../meter.ts";
import { kindOf } from "./kind.ts";
import { compareStrings, memberOf, sortedKeys } from "./object.ts";

function compareNumbers(a: number, b: number): number {
  // Not-a-number sorts below every number, itself included.
  if (a < b || Number.isNaN(a)) return -1;
  return a === b ? 0 : 1;
}

/** jq's total order: null, false, true, numbers, strings, arrays, objects. */
export function compare(a: Json, b: Json): number {
  if (typeof a === "number" && typeof b === "number") return compareNumbers(a, b);
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  const kind = kindOf(a);
  const other = kindOf(b);
  if (kind !== other) return kind < other ? -1 : 1;
  if (kind === 5) return compareArrays(a as Json[], b as Json[]);
  if (kind === 6) return compareObjects(a as JsonObject, b as JsonObject);
  return 0;
}

function compareText(a: string, b: string): number {
  if (a.length > 64) spend(Math.min(a.length, b.length) >> 3);
  return compareStrings(a, b);
}

function compareArrays(a: Json[], b: Json[]): number {
  const length = Math.min(a.length, b.length);
  step();
  enter();
  let order = 0;
  for (let i = 0; i < length && order === 0; i++) {
    step();
    order = compare(a[i]!, b[i]!);
  }
  leave();
  if (order !== 0) return order;
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

function compareObjects(a: JsonObject, b: JsonObject): number {
  const keys = sortedKeys(a);
  const others = sortedKeys(b);
  spend(keys.length + others.length + 1);
  const order = compareArrays(keys, others);
  if (order !== 0) return order;
  enter();
  let difference = 0;
  for (let i = 0; i < keys.length && difference === 0; i++) difference = compare(a[keys[i]!]!, b[keys[i]!]!);
  leave();
  return difference;
}

export function equal(a: Json, b: Json): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    if (typeof a === "string" && a.length > 64) spend(a.length >> 3);
    return a === b;
  }
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    spend(a.length + 1);
    enter();
    let same = true;
    for (let i = 0; i < a.length && same; i++) same = equal(a[i]!, b[i]!);
    leave();
    return same;
  }
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  spend(keys.length + 1);
  if (keys.length !== Object.keys(b).length) return false;
  enter();
  let same = true;
  for (let i = 0; i < keys.length && same; i++) {
    const other = memberOf(b, keys[i]!);
    same = other !== undefined && equal(a[keys[i]!]!, other);
  }
  leave();
  return same;
}
