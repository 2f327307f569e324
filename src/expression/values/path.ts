import type { Json, JsonObject } from "../../base/json.ts";
import {
  ARRAY_BYTES,
  charge,
  enter,
  ITEM_BYTES,
  leave,
  MEMBER_BYTES,
  OBJECT_BYTES,
  spend,
  step,
} from "../meter.ts";
import { copyArray, copyObject } from "./arithmetic.ts";
import { compare, equal } from "./compare.ts";
import { describe, type Raised, raise } from "./failure.ts";
import { typeName } from "./kind.ts";
import { memberOf, setMember } from "./object.ts";
import { codePointLength, sliceText } from "./text.ts";

/** Arrays longer than this cannot be made by assigning far behind the end. */
const LARGEST_INDEX = 536_870_911;

function cannotIndex(value: Json, key: Json): Raised {
  return raise(`Cannot index ${typeName(value)} with ${describe(key)}`);
}

export function getMember(input: Json, key: string): Json {
  if (typeof input === "object") {
    if (input === null) return null;
    if (!Array.isArray(input)) return memberOf(input, key) ?? null;
  }
  throw cannotIndex(input, key);
}

function getItem(array: readonly Json[], key: number): Json {
  if (Number.isNaN(key)) return null;
  const index = Math.floor(key);
  return array[index < 0 ? index + array.length : index] ?? null;
}

/** `.[key]` for every kind of value and key. @throws jq's own messages */
export function getKey(input: Json, key: Json): Json {
  if (typeof key === "string") return getMember(input, key);
  if (typeof key === "number") {
    if (Array.isArray(input)) return getItem(input, key);
    if (input === null) return null;
  } else if (Array.isArray(key)) {
    if (Array.isArray(input)) return indicesOf(input, key);
  } else if (typeof key === "object" && key !== null) {
    if (input === null) return null;
    if (typeof input === "string" || Array.isArray(input)) {
      if (!("start" in key || "end" in key)) throw raise("Array/string slice indices must be integers");
      return getSlice(input, memberOf(key, "start") ?? null, memberOf(key, "end") ?? null);
    }
  }
  throw cannotIndex(input, key);
}

/** Where a part occurs in an array. */
export function indicesOf(array: readonly Json[], part: readonly Json[]): Json {
  const found: Json[] = [];
  if (part.length === 0) return found;
  spend(array.length);
  for (let at = 0; at + part.length <= array.length; at++) {
    let matched = 0;
    while (matched < part.length && equal(array[at + matched]!, part[matched]!)) {
      matched++;
      step();
    }
    if (matched === part.length) {
      charge(ITEM_BYTES);
      found.push(at);
    }
  }
  return found;
}

/** Slice bounds inside `length`, rounded outwards as jq does. */
function sliceBounds(length: number, from: Json, to: Json): [from: number, to: number] {
  if ((from !== null && typeof from !== "number") || (to !== null && typeof to !== "number")) {
    throw raise("Array/string slice indices must be integers");
  }
  const place = (bound: number): number => {
    const at = bound < 0 ? bound + length : bound;
    return at < 0 ? 0 : at > length ? length : at;
  };
  const start = from === null || Number.isNaN(from) ? 0 : Math.floor(place(from));
  const end = to === null || Number.isNaN(to) ? length : Math.ceil(place(to));
  return [start, Math.max(start, Math.min(end, length))];
}

export function getSlice(input: Json, from: Json, to: Json): Json {
  if (input === null) return null;
  if (typeof input === "string") {
    const [start, end] = sliceBounds(codePointLength(input), from, to);
    return sliceText(input, start, end);
  }
  if (!Array.isArray(input)) throw cannotIndex(input, { start: from, end: to });
  const [start, end] = sliceBounds(input.length, from, to);
  charge(ARRAY_BYTES + (end - start) * ITEM_BYTES);
  return input.slice(start, end);
}

export function getPath(input: Json, path: readonly Json[]): Json {
  let value = input;
  for (const key of path) {
    step();
    if (value === null) return null;
    value = getKey(value, key);
  }
  return value;
}

/** Containers that the running assignment made itself, and may therefore change in place. */
export type Owned = Set<Json>;

function ownArray(array: readonly Json[], owned: Owned | null): Json[] {
  if (owned?.has(array as Json[])) return array as Json[];
  const copy = copyArray(array);
  owned?.add(copy);
  return copy;
}

function ownObject(object: JsonObject, owned: Owned | null): JsonObject {
  if (owned?.has(object)) return object;
  const copy = copyObject(object);
  owned?.add(copy);
  return copy;
}

function setKey(target: Json, key: Json, value: Json, owned: Owned | null): Json {
  if (typeof key === "string") {
    if (target === null) {
      charge(OBJECT_BYTES + MEMBER_BYTES);
      const object: JsonObject = {};
      setMember(object, key, value);
      owned?.add(object);
      return object;
    }
    if (typeof target !== "object" || Array.isArray(target)) throw cannotIndex(target, key);
    const object = ownObject(target, owned);
    charge(MEMBER_BYTES);
    setMember(object, key, value);
    return object;
  }
  if (typeof key === "number") {
    if (target !== null && !Array.isArray(target)) throw cannotIndex(target, key);
    let index = Number.isNaN(key) ? 0 : Math.trunc(key);
    if (index < 0) {
      index += target?.length ?? 0;
      if (index < 0) throw raise("Out of bounds negative array index");
    }
    if (index > LARGEST_INDEX) throw raise("Array index too large");
    const missing = index + 1 - (target?.length ?? 0);
    if (missing > 0) charge(missing * ITEM_BYTES);
    const array = ownArray(target ?? [], owned);
    while (array.length < index) array.push(null);
    array[index] = value;
    return array;
  }
  if (typeof key === "object" && key !== null && !Array.isArray(key)) {
    if (typeof target === "string") throw raise("Cannot update string slices");
    if (target !== null && !Array.isArray(target))
      throw raise("Cannot update field at object index of object");
    if (!("start" in key || "end" in key)) throw raise("Array/string slice indices must be integers");
    const old = target ?? [];
    const [start, end] = sliceBounds(
      old.length,
      memberOf(key, "start") ?? null,
      memberOf(key, "end") ?? null,
    );
    if (!Array.isArray(value)) throw raise("A slice of an array can only be assigned another array");
    charge(ARRAY_BYTES + (old.length + value.length) * ITEM_BYTES);
    const array = [...old.slice(0, start), ...value, ...old.slice(end)];
    owned?.add(array);
    return array;
  }
  if (Array.isArray(target) && Array.isArray(key)) throw raise("Cannot update field at array index of array");
  throw cannotIndex(target, key);
}

export function setPath(root: Json, path: readonly Json[], value: Json, owned: Owned | null, from = 0): Json {
  if (from === path.length) return value;
  step();
  const key = path[from]!;
  const child =
    root === null ? null : from + 1 < path.length || typeof key === "object" ? getKey(root, key) : null;
  enter();
  const replaced = setPath(child, path, value, owned, from + 1);
  leave();
  return setKey(root, key, replaced, owned);
}

function deleteKeys(target: Json, keys: Json[], owned: Owned | null): Json {
  if (target === null || keys.length === 0) return target;
  if (Array.isArray(target)) {
    const gone = new Set<number>();
    for (const key of keys) {
      if (typeof key === "number") {
        const index = Math.trunc(key);
        gone.add(index < 0 ? index + target.length : index);
      } else if (typeof key === "object" && key !== null && !Array.isArray(key)) {
        const [start, end] = sliceBounds(
          target.length,
          memberOf(key, "start") ?? null,
          memberOf(key, "end") ?? null,
        );
        spend(end - start);
        for (let index = start; index < end; index++) gone.add(index);
      } else throw raise(`Cannot delete ${typeName(key)} element of array`);
    }
    charge(ARRAY_BYTES + target.length * ITEM_BYTES);
    return target.filter((_, index) => !gone.has(index));
  }
  if (typeof target === "object") {
    const object = ownObject(target, owned);
    for (const key of keys) {
      if (typeof key !== "string") throw raise(`Cannot delete ${typeName(key)} field of object`);
      delete object[key];
    }
    return object;
  }
  throw raise(`Cannot delete fields from ${typeName(target)}`);
}

/** Remove every path; paths are sorted so that what one removes does not move the others. */
export function deletePaths(root: Json, paths: readonly Json[]): Json {
  for (const path of paths) {
    if (!Array.isArray(path)) throw raise(`Path must be specified as array, not ${typeName(path)}`);
  }
  spend(paths.length);
  const sorted = (paths as Json[][]).slice().sort(compare);
  if (sorted.length === 0) return root;
  if (sorted[0]!.length === 0) return null;
  const owned: Owned = new Set();
  return deleteSorted(root, sorted, 0, owned);
}

function deleteSorted(target: Json, paths: Json[][], depth: number, owned: Owned): Json {
  if (target === null) return null;
  const leaves: Json[] = [];
  let result: Json = target;
  // Deeper deletions first, in the container as it stands; then the keys of this level at once.
  for (let at = 0; at < paths.length; ) {
    const key = paths[at]![depth]!;
    let end = at + 1;
    while (end < paths.length && equal(paths[end]![depth]!, key)) end++;
    step();
    const group = paths.slice(at, end);
    if (group[0]!.length === depth + 1) leaves.push(key);
    else {
      const child = getKey(result, key);
      if (child !== null) {
        enter();
        const rest = deleteSorted(child, group, depth + 1, owned);
        leave();
        result = setKey(result, key, rest, owned);
      }
    }
    at = end;
  }
  return deleteKeys(result, leaves, owned);
}
