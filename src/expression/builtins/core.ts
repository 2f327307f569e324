import type { Json, JsonObject } from "../../base/json.ts";
import { recurse } from "../compile/access.ts";
import { constant, empty, optional } from "../compile/filter.ts";
import {
  ARRAY_BYTES,
  charge,
  enter,
  ITEM_BYTES,
  leave,
  MEMBER_BYTES,
  meter,
  OBJECT_BYTES,
  spend,
} from "../meter.ts";
import { equal } from "../values/compare.ts";
import { Raised, raise, raiseFor, raiseForTwo } from "../values/failure.ts";
import { isTrue, typeName } from "../values/kind.ts";
import { memberOf, setMember, sortedKeys } from "../values/object.ts";
import { parseNumber, parseText } from "../values/parse.ts";
import { getKey, indicesOf } from "../values/path.ts";
import { serialize, textOf } from "../values/serialize.ts";
import { codePointLength, indicesOfText } from "../values/text.ts";
import { of, type Table, with1 } from "./define.ts";

function length(input: Json): Json {
  switch (typeof input) {
    case "string":
      return codePointLength(input);
    case "number":
      return Math.abs(input);
    case "boolean":
      throw raiseFor(input, "has no length");
    default:
      if (input === null) return 0;
      return Array.isArray(input) ? input.length : Object.keys(input).length;
  }
}

function keysOf(input: Json, sorted: boolean): Json[] {
  if (Array.isArray(input)) {
    charge(ARRAY_BYTES + input.length * ITEM_BYTES);
    spend(input.length);
    return input.map((_, index) => index);
  }
  if (typeof input !== "object" || input === null) throw raiseFor(input, "has no keys");
  const keys = sorted ? sortedKeys(input) : Object.keys(input);
  charge(ARRAY_BYTES + keys.length * ITEM_BYTES);
  spend(keys.length);
  return keys;
}

function has(input: Json, key: Json): boolean {
  if (input === null) return false;
  if (Array.isArray(input) && typeof key === "number") return key >= 0 && key < input.length;
  if (typeof input === "object" && input !== null && !Array.isArray(input) && typeof key === "string") {
    return Object.hasOwn(input, key);
  }
  throw raise(`Cannot check whether ${typeName(input)} has a ${typeName(key)} key`);
}

function contains(a: Json, b: Json): boolean {
  if (typeof a === "string" && typeof b === "string") {
    spend(a.length >> 3);
    return a.includes(b);
  }
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    if (Array.isArray(a) && Array.isArray(b)) {
      enter();
      const all = b.every((part) => {
        spend(a.length + 1);
        return a.some((item) => typeName(item) === typeName(part) && contains(item, part));
      });
      leave();
      return all;
    }
    if (!Array.isArray(a) && !Array.isArray(b)) {
      enter();
      const all = Object.keys(b).every((key) => {
        spend(1);
        const item = memberOf(a, key);
        return item !== undefined && typeName(item) === typeName(b[key]!) && contains(item, b[key]!);
      });
      leave();
      return all;
    }
  }
  if (typeName(a) === typeName(b)) return equal(a, b);
  throw raiseForTwo(a, b, "cannot have their containment checked");
}

function indices(input: Json, part: Json): Json {
  if (typeof input === "string" && typeof part === "string") return indicesOfText(input, part);
  if (Array.isArray(input)) return indicesOf(input, Array.isArray(part) ? part : [part]);
  return getKey(input, part);
}

function firstOf(list: Json): Json {
  return (list as Json[] | null)?.[0] ?? null;
}

function lastOf(list: Json): Json {
  return (list as Json[] | null)?.at(-1) ?? null;
}

function toNumber(input: Json): Json {
  if (typeof input === "number") return input;
  const value = typeof input === "string" ? parseNumber(input) : null;
  if (value === null) throw raiseFor(input, "cannot be parsed as a number");
  return value;
}

function toBoolean(input: Json): Json {
  if (typeof input === "boolean") return input;
  if (input === "true") return true;
  if (input === "false") return false;
  throw raiseFor(input, "cannot be parsed as a boolean");
}

function toEntries(input: Json): Json {
  const keys = keysOf(input, false);
  charge(keys.length * (OBJECT_BYTES + 2 * MEMBER_BYTES));
  const container = input as JsonObject;
  return keys.map((key) => ({ key, value: container[key as string]! }));
}

const KEY_NAMES = ["key", "k", "name", "Name", "K", "Key"];
const VALUE_NAMES = ["value", "v", "Value", "V"];

function fromEntries(input: Json): Json {
  if (typeof input !== "object" || input === null) throw raise(`Cannot iterate over ${describeNull(input)}`);
  const items = Array.isArray(input) ? input : Object.values(input);
  spend(items.length);
  charge(OBJECT_BYTES + items.length * MEMBER_BYTES);
  const made: JsonObject = {};
  for (const item of items) {
    if (typeof item !== "object" || item === null || Array.isArray(item)) {
      if (item !== null) throw raise(`Cannot index ${typeName(item)} with string ("key")`);
    }
    let key: Json = null;
    for (const name of item === null ? [] : KEY_NAMES) {
      key = memberOf(item as JsonObject, name) ?? null;
      if (isTrue(key)) break;
    }
    if (typeof key !== "string") throw raise(`Cannot use ${describeNull(key)} as object key`);
    let value: Json = null;
    for (const name of VALUE_NAMES) {
      const member = memberOf(item as JsonObject, name);
      if (member === undefined) continue;
      value = member;
      break;
    }
    setMember(made, key, value);
  }
  return made;
}

function describeNull(value: Json): string {
  return `${typeName(value)} (${serialize(value, 64)})`;
}

function transpose(input: Json): Json {
  if (!Array.isArray(input)) throw raise(`Cannot iterate over ${describeNull(input)}`);
  let width = 0;
  for (const row of input) width = Math.max(width, Number(length(row)));
  charge(width * (ARRAY_BYTES + input.length * ITEM_BYTES));
  spend(width * input.length);
  return Array.from({ length: width }, (_, column) => input.map((row) => getKey(row, column)));
}

function tostream(input: Json, path: Json[], emit: (event: Json) => boolean): boolean {
  spend(1);
  charge(2 * ARRAY_BYTES + path.length * ITEM_BYTES);
  if (typeof input !== "object" || input === null) return emit([path, input]);
  const keys = keysOf(input, false);
  if (keys.length === 0) return emit([path, input]);
  enter();
  for (const key of keys) {
    if (tostream((input as JsonObject)[key as string]!, [...path, key], emit)) {
      leave();
      return true;
    }
  }
  leave();
  if (emit([[...path, keys[keys.length - 1]!]])) return true;
  return false;
}

export const CORE: Table = {
  "empty/0": () => empty,
  "not/0": of((input) => !isTrue(input)),
  "true/0": () => constant(true),
  "false/0": () => constant(false),
  "null/0": () => constant(null),
  "nan/0": of(() => Number.NaN),
  "infinite/0": of(() => Number.POSITIVE_INFINITY),
  "error/0": () =>
    optional((input) => {
      throw new Raised(input);
    }),
  "error/1": ([message]) => ({
    ...optional((input, env) => {
      message!.each(input, env, (value) => {
        throw new Raised(value);
      });
      return undefined;
    }),
  }),
  "recurse/0": () => recurse,
  "type/0": of(typeName),
  "length/0": of(length),
  "utf8bytelength/0": of((input) => {
    if (typeof input !== "string") throw raiseFor(input, "only strings have UTF-8 byte length");
    spend(input.length >> 4);
    return Buffer.byteLength(input);
  }),
  "keys/0": of((input) => keysOf(input, true)),
  "keys_unsorted/0": of((input) => keysOf(input, false)),
  "has/1": with1(has),
  "contains/1": with1(contains),
  "inside/1": with1((input, other) => contains(other, input)),
  "in/1": with1((input, other) => has(other, input)),
  "indices/1": with1(indices),
  "_indices/1": with1(indices),
  "index/1": with1((input, part) => firstOf(indices(input, part))),
  "rindex/1": with1((input, part) => lastOf(indices(input, part))),
  "tonumber/0": of(toNumber),
  "toboolean/0": of(toBoolean),
  "tostring/0": of(textOf),
  "tojson/0": of((input) => serialize(input)),
  "fromjson/0": of((input) => {
    if (typeof input !== "string") throw raiseFor(input, "only strings can be parsed");
    return parseText(input);
  }),
  "toarray/0": of((input) => (Array.isArray(input) ? input : [input])),
  "to_entries/0": of(toEntries),
  "from_entries/0": of(fromEntries),
  "transpose/0": of(transpose),
  "tostream/0": () => ({
    one: null,
    maybe: null,
    each: (input, _env, emit) => tostream(input, [], emit),
    path: (_path, input, _env, emit) => tostream(input, [], (event) => emit(null, event)),
  }),
  "debug/0": of((input) => input),
  "debug/1": of((input) => input),
  "stderr/0": of((input) => input),
  "have_literal_numbers/0": () => constant(true),
  "have_decnum/0": () => constant(false),
  "now/0": of(() => {
    if (Number.isNaN(meter.now)) throw raise("now is not available here");
    return meter.now / 1000;
  }),
};
