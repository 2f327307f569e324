import type { Json, JsonObject } from "../../base/json.ts";
import {
  ARRAY_BYTES,
  charge,
  enter,
  exhausted,
  ITEM_BYTES,
  leave,
  MEMBER_BYTES,
  OBJECT_BYTES,
  spend,
} from "../meter.ts";
import { equal } from "./compare.ts";
import { raiseForTwo } from "./failure.ts";
import { memberOf, setMember } from "./object.ts";
import { splitText } from "./text.ts";

const isObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A copy that may be changed; charged by its size. */
export function copyObject(object: JsonObject): JsonObject {
  const copy = { ...object };
  // Counting the members costs nearly what copying them does, so small and large are told apart only here.
  let members = 0;
  for (const _ in copy) members++;
  charge(OBJECT_BYTES + members * MEMBER_BYTES);
  return copy;
}

export function copyArray(array: readonly Json[]): Json[] {
  charge(ARRAY_BYTES + array.length * ITEM_BYTES);
  return array.slice();
}

export function add(a: Json, b: Json): Json {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (a === null) return b;
  if (b === null) return a;
  if (typeof a === "string" && typeof b === "string") {
    charge(a.length + b.length);
    return a + b;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length === 0) return b;
    if (b.length === 0) return a;
    charge(ARRAY_BYTES + (a.length + b.length) * ITEM_BYTES);
    return a.concat(b);
  }
  if (isObject(a) && isObject(b)) {
    const sum = copyObject(a);
    for (const key of Object.keys(b)) {
      charge(MEMBER_BYTES);
      setMember(sum, key, b[key]!);
    }
    return sum;
  }
  throw raiseForTwo(a, b, "cannot be added");
}

/** `a + b`, where `a` may be changed in place if it is in `owned`; what is made anew is added to that. */
export function addOwned(a: Json, b: Json, owned: Set<Json>): Json {
  if (owned.has(a)) {
    if (Array.isArray(a) && Array.isArray(b) && a !== b) {
      charge(b.length * ITEM_BYTES);
      for (const item of b) a.push(item);
      return a;
    }
    if (isObject(a) && isObject(b)) {
      for (const key of Object.keys(b)) {
        charge(MEMBER_BYTES);
        setMember(a, key, b[key]!);
      }
      return a;
    }
  }
  const sum = add(a, b);
  if (typeof sum === "object" && sum !== null && sum !== a && sum !== b) owned.add(sum);
  return sum;
}

export function subtract(a: Json, b: Json): Json {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (Array.isArray(a) && Array.isArray(b)) {
    spend(a.length * b.length);
    const rest: Json[] = [];
    for (const item of a) if (!b.some((other) => equal(item, other))) rest.push(item);
    charge(ARRAY_BYTES + rest.length * ITEM_BYTES);
    return rest;
  }
  throw raiseForTwo(a, b, "cannot be subtracted");
}

function repeat(text: string, times: number): Json {
  // jq 1.8: nothing for a negative count or not-a-number, otherwise the whole part of the count.
  if (Number.isNaN(times) || times < 0) return null;
  if (text.length * times > 2 ** 31) throw exhausted("outputBytes");
  const count = Math.trunc(times);
  charge(text.length * count);
  return text.repeat(count);
}

function merge(a: JsonObject, b: JsonObject): JsonObject {
  enter();
  const merged = copyObject(a);
  for (const key of Object.keys(b)) {
    const left = memberOf(merged, key);
    const right = b[key]!;
    charge(MEMBER_BYTES);
    setMember(
      merged,
      key,
      left !== undefined && isObject(left) && isObject(right) ? merge(left, right) : right,
    );
  }
  leave();
  return merged;
}

export function multiply(a: Json, b: Json): Json {
  if (typeof a === "number" && typeof b === "number") return a * b;
  if (typeof a === "string" && typeof b === "number") return repeat(a, b);
  if (typeof a === "number" && typeof b === "string") return repeat(b, a);
  if (isObject(a) && isObject(b)) return merge(a, b);
  throw raiseForTwo(a, b, "cannot be multiplied");
}

export function divide(a: Json, b: Json): Json {
  if (typeof a === "number" && typeof b === "number") {
    if (b === 0) throw raiseForTwo(a, b, "cannot be divided because the divisor is zero");
    return a / b;
  }
  if (typeof a === "string" && typeof b === "string") return splitText(a, b);
  throw raiseForTwo(a, b, "cannot be divided");
}

/** jq takes the remainder of 64-bit integers: fractions are cut off, and what does not fit is clamped. */
function toInteger(value: number): bigint | number {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) return whole;
  if (whole >= 2 ** 63) return 2n ** 63n - 1n;
  return whole <= -(2 ** 63) ? -(2n ** 63n) : BigInt(whole);
}

export function remainder(a: Json, b: Json): Json {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
    const left = toInteger(a);
    const right = toInteger(b);
    if (typeof left === "number" && typeof right === "number" && right !== 0) {
      return (left % Math.abs(right)) + 0;
    }
    if (BigInt(right) === 0n) {
      throw raiseForTwo(a, b, "cannot be divided (remainder) because the divisor is zero");
    }
    return Number(BigInt(left) % BigInt(right));
  }
  throw raiseForTwo(a, b, "cannot be divided (remainder)");
}
