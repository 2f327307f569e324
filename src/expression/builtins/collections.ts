import type { Json, JsonObject } from "../../base/json.ts";
import { cannotIterate } from "../compile/access.ts";
import { collect, type Env, type Filter, many, single } from "../compile/filter.ts";
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
import { add } from "../values/arithmetic.ts";
import { compare } from "../values/compare.ts";
import { raise, raiseFor, raiseForTwo } from "../values/failure.ts";
import { setMember } from "../values/object.ts";
import { textOf } from "../values/serialize.ts";
import { type Native, of, type Table } from "./define.ts";

interface Keyed {
  readonly key: Json;
  readonly value: Json;
}

function arrayOf(input: Json, what: string): Json[] {
  if (!Array.isArray(input)) throw raiseFor(input, `cannot be ${what}, as it is not an array`);
  return input;
}

/** Items with what `filter` makes of them: one value, or the list of all. A single number or text compares fastest. */
function keyed(input: Json, env: Env, filter: Filter, refusal: string): Keyed[] {
  if (typeof input !== "object" || input === null) throw cannotIterate(input);
  if (!Array.isArray(input)) {
    const keys = Object.values(input).map((value) => collect(filter, value, env));
    throw raiseForTwo(input, keys, refusal);
  }
  const items = input;
  spend(items.length);
  charge(ARRAY_BYTES + items.length * (ITEM_BYTES + OBJECT_BYTES));
  const one = filter.one;
  if (one !== null) return items.map((value) => ({ key: one(value, env), value }));
  return items.map((value) => ({ key: collect(filter, value, env), value }));
}

/** Sorting is charged by its bound, so that the order of the input does not decide about the budget. */
function chargeSort(length: number): void {
  spend(length * Math.ceil(Math.log2(length + 1)));
}

function sorted(items: Keyed[]): Keyed[] {
  chargeSort(items.length);
  return items.sort((a, b) => compare(a.key, b.key));
}

function groups(items: Keyed[]): Keyed[][] {
  const all: Keyed[][] = [];
  for (const item of sorted(items)) {
    const last = all.at(-1);
    if (last !== undefined && compare(last[0]!.key, item.key) === 0) last.push(item);
    else all.push([item]);
  }
  charge(all.length * ARRAY_BYTES);
  return all;
}

const valuesOf = (items: Keyed[]): Json[] => items.map((item) => item.value);

function sort(input: Json): Json {
  const items = arrayOf(input, "sorted").slice();
  chargeSort(items.length);
  charge(ARRAY_BYTES + items.length * ITEM_BYTES);
  return items.sort(compare);
}

function unique(input: Json): Json {
  const items = sort(input) as Json[];
  return items.filter((item, index) => index === 0 || compare(items[index - 1]!, item) !== 0);
}

/** Of equal ones `min` takes the first and `max` the last, as jq does. */
function extreme(items: Keyed[], direction: 1 | -1): Json {
  let best: Keyed | undefined;
  for (const item of items) {
    step();
    if (best === undefined) best = item;
    else {
      const order = compare(item.key, best.key) * direction;
      if (order < 0 || (order === 0 && direction === -1)) best = item;
    }
  }
  return best?.value ?? null;
}

const plain = (input: Json): Keyed[] => {
  if (!Array.isArray(input)) throw raiseForTwo(input, input, "cannot be iterated over");
  spend(input.length);
  return input.map((value) => ({ key: value, value }));
};

const by =
  (finish: (items: Keyed[]) => Json, refusal = "cannot be sorted, as they are not both arrays"): Native =>
  ([filter]) =>
    single((input, env) => finish(keyed(input, env, filter!, refusal)));

/** The sum of many values. Texts and lists are joined once, not copied anew for each. */
class Sum {
  #sum: Json = null;
  /** Whether `#sum` is a container made here, to be changed in place. */
  #own = false;
  add(value: Json): void {
    const sum = this.#sum;
    if (typeof sum === "number" && typeof value === "number") {
      this.#sum = sum + value;
    } else if (sum === null) {
      this.#sum = value;
    } else if (Array.isArray(sum) && Array.isArray(value)) {
      charge((this.#own ? 0 : sum.length * ITEM_BYTES) + value.length * ITEM_BYTES);
      const target = this.#own ? sum : sum.slice();
      for (const item of value) target.push(item);
      this.#sum = target;
      this.#own = true;
    } else if (isPlainObject(sum) && isPlainObject(value)) {
      if (!this.#own) charge(Object.keys(sum).length * MEMBER_BYTES);
      const target = this.#own ? sum : { ...sum };
      for (const key of Object.keys(value)) {
        charge(MEMBER_BYTES);
        setMember(target, key, value[key]!);
      }
      this.#sum = target;
      this.#own = true;
    } else if (typeof sum === "string" && typeof value === "string") {
      charge(value.length);
      this.#sum = sum + value;
    } else if (value !== null) {
      this.#sum = add(sum, value);
    }
  }
  get result(): Json {
    return this.#sum;
  }
}

function isPlainObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function addAll(input: Json): Json {
  if (typeof input !== "object" || input === null) throw cannotIterate(input);
  const items = Array.isArray(input) ? input : Object.values(input);
  spend(items.length);
  const sum = new Sum();
  for (const item of items) sum.add(item);
  return sum.result;
}

function flatten(input: Json, depth: number): Json {
  if (typeof input !== "object" || input === null) throw cannotIterate(input);
  const flat: Json[] = [];
  const walk = (list: readonly Json[], left: number): void => {
    for (const item of list) {
      step();
      if (Array.isArray(item) && left > 0) {
        enter();
        walk(item, left - 1);
        leave();
      } else {
        charge(ITEM_BYTES);
        flat.push(item);
      }
    }
  };
  walk(Array.isArray(input) ? input : Object.values(input), depth);
  return flat;
}

function reverse(input: Json): Json {
  if (typeof input === "string") {
    charge(input.length);
    return Array.from(input).reverse().join("");
  }
  if (Array.isArray(input)) {
    charge(ARRAY_BYTES + input.length * ITEM_BYTES);
    return input.toReversed();
  }
  if (input === null || (typeof input === "object" && Object.keys(input).length === 0)) return [];
  throw raise(`Cannot reverse ${typeof input}`);
}

function join(input: Json, separator: Json): Json {
  if (typeof input !== "object" || input === null) throw cannotIterate(input);
  const items = Array.isArray(input) ? input : Object.values(input);
  if (items.length === 0) return "";
  spend(items.length);
  let text: Json = "";
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!;
    if (i > 0) {
      if (typeof separator === "string") {
        charge(separator.length);
        text += separator;
      } else if (separator !== null) text = add(text, separator) as string;
    }
    if (typeof item === "string") {
      charge(item.length);
      text += item;
    } else if (typeof item === "object" && item !== null) text = add(text, item) as string;
    else if (item !== null) text += textOf(item);
  }
  return text;
}

function bsearch(input: Json, target: Json): Json {
  if (!Array.isArray(input)) throw raiseFor(input, "cannot be searched from");
  let low = 0;
  let high = input.length - 1;
  while (low <= high) {
    step();
    const middle = (low + high) >> 1;
    const order = compare(input[middle]!, target);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1 - low;
}

export const COLLECTIONS: Table = {
  "add/0": of(addAll),
  "add/1": ([filter]) =>
    single((input, env) => {
      const sum = new Sum();
      filter!.each(input, env, (value) => {
        step();
        sum.add(value);
        return false;
      });
      return sum.result;
    }),
  "sort/0": of(sort),
  "sort_by/1": by((items) => valuesOf(sorted(items))),
  "group_by/1": by((items) => groups(items).map(valuesOf)),
  "unique/0": of(unique),
  "unique_by/1": by((items) => groups(items).map((group) => group[0]!.value)),
  "min/0": of((input) => extreme(plain(input), 1)),
  "max/0": of((input) => extreme(plain(input), -1)),
  "min_by/1": by((items) => extreme(items, 1), "cannot be iterated over"),
  "max_by/1": by((items) => extreme(items, -1), "cannot be iterated over"),
  "flatten/0": of((input) => flatten(input, Number.POSITIVE_INFINITY)),
  "flatten/1": ([depth]) =>
    many((input, env, emit) =>
      depth!.each(input, env, (value) => {
        if (typeof value !== "number") throw raise("flatten depth must be a number");
        if (value < 0) throw raise("flatten depth must not be negative");
        return emit(flatten(input, value));
      }),
    ),
  "reverse/0": of(reverse),
  "join/1": ([separator]) => {
    const one = separator!.one;
    if (one !== null) return single((input, env) => join(input, one(input, env)));
    return many((input, env, emit) => separator!.each(input, env, (value) => emit(join(input, value))));
  },
  "bsearch/1": ([target]) =>
    many((input, env, emit) => target!.each(input, env, (value) => emit(bsearch(input, value)))),
  "INDEX/2": ([stream, key]) =>
    single((input, env) => {
      const made: JsonObject = {};
      stream!.each(input, env, (row) => {
        step();
        key!.each(row, env, (value) => {
          charge(MEMBER_BYTES);
          setMember(made, textOf(value), row);
          return false;
        });
        return false;
      });
      return made;
    }),
};
