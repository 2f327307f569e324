import type { Json, JsonObject } from "../../base/json.ts";
import { exhausted, ITEM_BYTES, MEMBER_BYTES, meter } from "../meter.ts";
import { setMember } from "./object.ts";

/**
 * A value on its way out of a run. It is measured as a tree, because a small value that repeats its parts may be
 * endless to whoever walks it next; and numbers that JSON cannot say become what jq prints for them.
 */
export function finish(value: Json): Json {
  if (typeof value === "number") return Number.isFinite(value) ? value : finite(value);
  if (typeof value !== "object" || value === null) return value;
  let left = meter.results;
  const { deepest } = meter;
  let clean = true;
  const measure = (item: Json, depth: number): void => {
    if (typeof item === "number") {
      if (!Number.isFinite(item)) clean = false;
      return;
    }
    if (typeof item === "string") {
      left -= item.length;
      return;
    }
    if (typeof item !== "object" || item === null) return;
    if (depth > deepest) throw exhausted("depth");
    if (Array.isArray(item)) {
      left -= ITEM_BYTES * (item.length + 1);
      if (left < 0) throw exhausted("outputBytes");
      for (let i = 0; i < item.length; i++) {
        const child = item[i]!;
        if (typeof child === "number") {
          if (child - child !== 0) clean = false;
        } else measure(child, depth + 1);
      }
      return;
    }
    left -= MEMBER_BYTES;
    for (const key in item) {
      left -= MEMBER_BYTES + key.length;
      const child = item[key]!;
      if (typeof child === "number") {
        if (child - child !== 0) clean = false;
      } else measure(child, depth + 1);
    }
    if (left < 0) throw exhausted("outputBytes");
  };
  measure(value, 1);
  meter.results = left;
  return clean ? value : withFinite(value);
}

function finite(value: number): Json {
  return Number.isNaN(value) ? null : value > 0 ? Number.MAX_VALUE : -Number.MAX_VALUE;
}

function withFinite(value: Json): Json {
  if (typeof value === "number") return Number.isFinite(value) ? value : finite(value);
  if (Array.isArray(value)) return value.map(withFinite);
  if (typeof value !== "object" || value === null) return value;
  const made: JsonObject = {};
  for (const key of Object.keys(value)) setMember(made, key, withFinite(value[key]!));
  return made;
}
