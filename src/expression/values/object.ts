import type { Json, JsonObject } from "../../base/json.ts";

/** A member, or undefined. Data may name its keys like what every JavaScript object inherits. */
export function memberOf(object: JsonObject, key: string): Json | undefined {
  const value: unknown = object[key];
  if (typeof value === "function" || key === "__proto__") {
    return Object.hasOwn(object, key) ? object[key] : undefined;
  }
  return value as Json | undefined;
}

/** Set a member of an object that this run made itself; assigning `__proto__` would change the prototype. */
export function setMember(object: JsonObject, key: string, value: Json): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  } else object[key] = value;
}

/** By code point, as bytes of UTF-8 would sort; UTF-16 units differ where surrogates meet U+E000 and above. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) {
      const xSurrogate = x < 0xe000;
      const ySurrogate = y < 0xe000;
      if (xSurrogate !== ySurrogate) return xSurrogate ? 1 : -1;
    }
    return x < y ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

const SURROGATE = /[\ud800-\udfff]/;

/** Keys in jq's order of `keys`. */
export function sortedKeys(object: JsonObject): string[] {
  const keys = Object.keys(object);
  if (keys.length < 2) return keys;
  return keys.some((key) => SURROGATE.test(key)) ? keys.sort(compareStrings) : keys.sort();
}
