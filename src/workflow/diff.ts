import { canonicalJson } from "../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { joinPointer } from "../base/pointer.ts";

/** One place where two documents differ. */
export interface Difference {
  /** In the second document; in the first for what was removed. */
  readonly pointer: string;
  readonly change: "added" | "removed" | "changed" | "moved";
  readonly before?: Json;
  readonly after?: Json;
}

/**
 * What differs between two documents, in the order of the first. Tasks of a list are compared by their name, so that one
 * more task is one difference; anything else in a list by its position.
 */
export function diffDocuments(before: Json, after: Json): Difference[] {
  return [...differences(before, after, "")];
}

function* differences(before: Json, after: Json, pointer: string): Generator<Difference> {
  if (canonicalJson(before) === canonicalJson(after)) return;
  if (isObject(before) && isObject(after)) yield* members(before as JsonObject, after as JsonObject, pointer);
  else if (Array.isArray(before) && Array.isArray(after)) {
    const named = namedItems(before) && namedItems(after);
    yield* named
      ? tasks(before as JsonObject[], after as JsonObject[], pointer)
      : members({ ...before } as never, { ...after } as never, pointer);
  } else yield { pointer, change: "changed", before, after };
}

function* members(before: JsonObject, after: JsonObject, pointer: string): Generator<Difference> {
  for (const [key, value] of Object.entries(before)) {
    const at = joinPointer(pointer, key);
    if (Object.hasOwn(after, key)) yield* differences(value, after[key]!, at);
    else yield { pointer: at, change: "removed", before: value };
  }
  for (const [key, value] of Object.entries(after))
    if (!Object.hasOwn(before, key))
      yield { pointer: joinPointer(pointer, key), change: "added", after: value };
}

/** Lists of tasks and cases: each item one name. */
function namedItems(list: readonly Json[]): boolean {
  const names = list.map((item) => (isObject(item) ? Object.keys(item) : []));
  return (
    names.every((keys) => keys.length === 1) && new Set(names.map(([name]) => name)).size === list.length
  );
}

function* tasks(
  before: readonly JsonObject[],
  after: readonly JsonObject[],
  pointer: string,
): Generator<Difference> {
  const name = (item: JsonObject): string => Object.keys(item)[0]!;
  const places = new Map(after.map((item, index) => [name(item), index]));
  const kept = before.map(name).filter((each) => places.has(each));
  const order = after.map(name).filter((each) => kept.includes(each));
  for (const [index, item] of before.entries()) {
    const key = name(item);
    const place = places.get(key);
    if (place === undefined) {
      yield { pointer: joinPointer(pointer, index, key), change: "removed", before: item[key]! };
      continue;
    }
    const at = joinPointer(pointer, place, key);
    if (kept.indexOf(key) !== order.indexOf(key)) yield { pointer: at, change: "moved" };
    yield* differences(item[key]!, after[place]![key]!, at);
  }
  const known = new Set(before.map(name));
  for (const [index, item] of after.entries())
    if (!known.has(name(item)))
      yield { pointer: joinPointer(pointer, index, name(item)), change: "added", after: item[name(item)]! };
}
