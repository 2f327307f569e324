import type { Json, JsonObject } from "../../base/json.ts";
import { spend, step } from "../meter.ts";
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
  for (let i = 0; i < length; i++) {
    step();
    const order = compare(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

function compareObjects(a: JsonObject, b: JsonObject): number {
  const keys = sortedKeys(a);
  const others = sortedKeys(b);
  spend(keys.length + others.length + 1);
  const order = compareArrays(keys, others);
  if (order !== 0) return order;
  for (const key of keys) {
    const difference = compare(a[key]!, b[key]!);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function equal(a: Json, b: Json): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    if (typeof a === "string" && a.length > 64) spend(a.length >> 3);
    return a === b;
  }
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    step();
    for (let i = 0; i < a.length; i++) {
      step();
      if (!equal(a[i]!, b[i]!)) return false;
    }
    return true;
  }
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  spend(keys.length + 1);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    const other = memberOf(b, key);
    if (other === undefined || !equal(a[key]!, other)) return false;
  }
  return true;
}
