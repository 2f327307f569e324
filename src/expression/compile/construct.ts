import type { Json, JsonObject } from "../../base/json.ts";
import { ARRAY_BYTES, charge, ITEM_BYTES, MEMBER_BYTES, OBJECT_BYTES, spend } from "../meter.ts";
import { describe, raise } from "../values/failure.ts";
import { setMember } from "../values/object.ts";
import { cannotIterate } from "./access.ts";
import {
  collect,
  constant,
  type Env,
  type Filter,
  isConstant,
  many,
  type One,
  product,
  single,
} from "./filter.ts";

/** `[body]` */
export function array(body: Filter | null): Filter {
  if (body === null) return constant([]);
  if (body.constants !== undefined) return constant([...body.constants]);
  const only = body.one;
  if (only !== null) {
    const made = single((input, env) => {
      charge(ARRAY_BYTES + ITEM_BYTES);
      return [only(input, env)];
    });
    return { ...made, independent: body.independent === true };
  }
  const loop = body.loop;
  if (loop === undefined) {
    return single((input, env) => {
      charge(ARRAY_BYTES);
      return collect(body, input, env);
    });
  }
  const { source, body: each, exact } = loop;
  return single((input, env) => {
    const container = source(input, env);
    if (typeof container !== "object" || container === null) throw cannotIterate(container);
    const items = Array.isArray(container) ? container : Object.values(container);
    const length = items.length;
    spend(length);
    if (each === null) {
      charge(ARRAY_BYTES + length * ITEM_BYTES);
      return items === container ? items.slice() : items;
    }
    if (exact) {
      charge(ARRAY_BYTES + length * ITEM_BYTES);
      const results: Json[] = new Array(length);
      for (let i = 0; i < length; i++) results[i] = each(items[i]!, env)!;
      return results;
    }
    const results: Json[] = [];
    for (let i = 0; i < length; i++) {
      const value = each(items[i]!, env);
      if (value !== undefined) results.push(value);
    }
    charge(ARRAY_BYTES + results.length * ITEM_BYTES);
    return results;
  });
}

function checkKey(key: Json): string {
  if (typeof key !== "string") throw raise(`Cannot use ${describe(key)} as object key`);
  return key;
}

/**
 * An object with known keys. Literals with computed keys are made at once with their final shape, twice as fast as
 * adding one member after the other; most objects have few.
 */
function builder(names: readonly string[], values: readonly One[], price: number): One {
  const [a, b, c] = names as [string, string, string];
  const [x, y, z] = values as [One, One, One];
  switch (names.length) {
    case 1:
      return (input, env) => {
        charge(price);
        return { [a]: x(input, env) };
      };
    case 2:
      return (input, env) => {
        charge(price);
        return { [a]: x(input, env), [b]: y(input, env) };
      };
    case 3:
      return (input, env) => {
        charge(price);
        return { [a]: x(input, env), [b]: y(input, env), [c]: z(input, env) };
      };
    default: {
      const count = names.length;
      return (input, env) => {
        charge(price);
        const made: JsonObject = { [a]: x(input, env), [b]: y(input, env), [c]: z(input, env) };
        for (let i = 3; i < count; i++) made[names[i]!] = values[i]!(input, env);
        return made;
      };
    }
  }
}

/** `{key: value, …}`: the first member is the outermost loop. */
export function object(entries: readonly { key: Filter; value: Filter }[]): Filter {
  const price = OBJECT_BYTES + entries.length * MEMBER_BYTES;
  if (entries.every(({ key, value }) => typeof key.constant === "string" && isConstant(value))) {
    const made: JsonObject = {};
    for (const { key, value } of entries) setMember(made, key.constant as string, value.constant!);
    return constant(made);
  }
  if (entries.every(({ key, value }) => key.one !== null && value.one !== null)) {
    const values = entries.map(({ value }) => value.one!);
    const independent = entries.every(({ value }) => value.independent === true);
    if (entries.every(({ key }) => typeof key.constant === "string" && key.constant !== "__proto__")) {
      const names = entries.map(({ key }) => key.constant as string);
      const build = single(builder(names, values, price));
      return { ...build, independent };
    }
    const keys = entries.map(({ key }) => key.one!);
    const build = single((input, env) => {
      charge(price);
      const made: JsonObject = {};
      for (let i = 0; i < keys.length; i++) {
        const key = checkKey(keys[i]!(input, env));
        setMember(made, key, values[i]!(input, env));
      }
      return made;
    });
    return { ...build, independent };
  }
  return many((input, env, emit) => {
    const keys: string[] = new Array(entries.length);
    const values: Json[] = new Array(entries.length);
    const loop = (at: number): boolean => {
      if (at === entries.length) {
        charge(price);
        const made: JsonObject = {};
        for (let i = 0; i < at; i++) setMember(made, keys[i]!, values[i]!);
        return emit(made);
      }
      return entries[at]!.key.each(input, env, (key) => {
        const name = checkKey(key);
        return entries[at]!.value.each(input, env, (value) => {
          spend(1);
          keys[at] = name;
          values[at] = value;
          return loop(at + 1);
        });
      });
    };
    return loop(0);
  });
}

/** `"text \(value) text"`, each value through the format. */
export function text(parts: readonly (string | Filter)[], format: (value: Json) => string): Filter {
  const filters = parts.filter((part) => typeof part !== "string");
  const join = (values: readonly Json[]): string => {
    let result = "";
    let at = 0;
    for (const part of parts) result += typeof part === "string" ? part : format(values[at++]!);
    charge(result.length);
    return result;
  };
  if (filters.every((filter) => filter.one !== null)) {
    const pieces: (string | One)[] = parts.map((part) => (typeof part === "string" ? part : part.one!));
    return single((input: Json, env: Env) => {
      let result = "";
      for (let i = pieces.length - 1; i >= 0; i--) {
        const piece = pieces[i]!;
        result = (typeof piece === "string" ? piece : format(piece(input, env))) + result;
      }
      charge(result.length);
      return result;
    });
  }
  return many((input, env, emit) => product(filters, input, env, (values) => emit(join(values))));
}
