import { canonicalJson } from "../../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { joinPointer } from "../../workflow/index.ts";

export interface Difference {
  /** JSON pointer. */
  path: string;
  a: Json;
  b: Json;
}

/** Differences of one pair at most: beyond them the values differ as a whole. */
const MOST = 200;

/** Where two values differ, by the members of objects and the items of lists. */
export function differences(a: Json, b: Json, path = ""): Difference[] {
  if (canonicalJson(a) === canonicalJson(b)) return [];
  const pair = membersOf(a) !== null && membersOf(b) !== null && Array.isArray(a) === Array.isArray(b);
  if (!pair) return [{ path, a, b }];
  const left = membersOf(a)!;
  const right = membersOf(b)!;
  const found: Difference[] = [];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    found.push(...differences(left[key] ?? null, right[key] ?? null, joinPointer(path, key)));
    if (found.length > MOST) return [{ path, a, b }];
  }
  return found;
}

function membersOf(value: Json): JsonObject | null {
  if (Array.isArray(value)) return { ...value } as unknown as JsonObject;
  return isObject(value) ? (value as JsonObject) : null;
}
