import type { Json } from "../../base/json.ts";
import { charge, ITEM_BYTES, step } from "../meter.ts";
import type { Owned } from "../values/path.ts";

/** What `as`, function parameters and `label` have bound: a list that only grows, so a branch never sees another's. */
export class Environment {
  readonly value: unknown;
  readonly parent: Environment | null;
  constructor(value: unknown, parent: Environment | null) {
    this.value = value;
    this.parent = parent;
  }
}
export type Env = Environment | null;

/** Receives one output. True stops the producer. */
export type Emit = (value: Json) => boolean;
export type One = (input: Json, env: Env) => Json;
export type Maybe = (input: Json, env: Env) => Json | undefined;
export type Each = (input: Json, env: Env, emit: Emit) => boolean;

/** The way from the root to a value, last step first. Null once a value no longer comes from the root. */
export interface Path {
  readonly parent: Path | null;
  readonly key: Json;
}
export const ROOT: Path = { parent: null, key: null };
export type PathEmit = (path: Path | null, value: Json) => boolean;
export type PathEach = (path: Path | null, input: Json, env: Env, emit: PathEmit) => boolean;

/**
 * A compiled jq filter, as up to four functions.
 *
 * `each` runs it with a callback for each output, `path` the same with the way to each output. `one` is there when it
 * always has exactly one output (or an error), `maybe` when it has at most one (undefined is none; `one` serves as
 * `maybe` too). Most filters have them, and then neither callbacks nor stack frames for them are needed.
 */
export interface Filter {
  readonly one: One | null;
  readonly maybe: Maybe | null;
  readonly each: Each;
  readonly path: PathEach;
  /** The single output, where it depends on nothing. */
  readonly constant?: Json;
  /** All outputs, where they depend on nothing. */
  readonly constants?: readonly Json[];
  /** Set for `.` and for `.name`: what the operators around them turn into plain property access. */
  readonly shape?: "identity" | { readonly member: string };
  /** No output holds a container of the input: it is made of constants and variables alone. */
  readonly independent?: boolean;
  /**
   * `one` for the state of a `reduce`, which nobody else sees: containers in `owned` are changed in place, and those
   * made here are added to it. Set only where no part of the state stays behind anywhere else.
   */
  readonly mutate?: (state: Json, env: Env, owned: Owned) => Json;
  /** Set where the outputs are those of `body` for each child of `source`: what `[ … ]` turns into a plain loop. */
  readonly loop?: { readonly source: One; readonly body: Maybe | null; readonly exact: boolean };
}

/**
 * Paths through a filter that is no path expression. As in jq, an output that is the very input keeps its path, which
 * makes `if`, `as` and friends transparent.
 */
function pathThrough(each: Each): PathEach {
  return (path, input, env, emit) =>
    each(input, env, (value) =>
      emit(value === input && typeof value !== "string" && typeof value !== "number" ? path : null, value),
    );
}

export function single(one: One, path?: PathEach): Filter {
  const each: Each = (input, env, emit) => emit(one(input, env));
  return { one, maybe: one, each, path: path ?? pathThrough(each) };
}

export function optional(maybe: Maybe, path?: PathEach): Filter {
  const each: Each = (input, env, emit) => {
    const value = maybe(input, env);
    return value !== undefined && emit(value);
  };
  return { one: null, maybe, each, path: path ?? pathThrough(each) };
}

export function many(each: Each, path: PathEach = pathThrough(each)): Filter {
  return { one: null, maybe: null, each, path };
}

/**
 * The same value every time. It is frozen: whoever changes a result would change the program.
 */
export function constant(value: Json): Filter {
  if (typeof value === "object") Object.freeze(value);
  return { ...single(() => value), constant: value, constants: [value], independent: true };
}

export const isConstant = (filter: Filter): filter is Filter & { constant: Json } =>
  filter.constant !== undefined;

export const identity: Filter = {
  ...single(
    (input) => input,
    (path, input, _env, emit) => emit(path, input),
  ),
  shape: "identity",
  mutate: (state) => state,
};

export const empty: Filter = optional(
  () => undefined,
  () => false,
);

/** Two outputs in turn; the step keeps products of many commas inside the budget. */
export function comma(left: Filter, right: Filter): Filter {
  const both = many(
    (input, env, emit) => {
      step();
      return left.each(input, env, emit) || right.each(input, env, emit);
    },
    (path, input, env, emit) => {
      step();
      return left.path(path, input, env, emit) || right.path(path, input, env, emit);
    },
  );
  if (left.constants === undefined || right.constants === undefined) return both;
  return { ...both, constants: [...left.constants, ...right.constants] };
}

export function pipe(left: Filter, right: Filter): Filter {
  if (left.shape === "identity") return right;
  if (right.shape === "identity") return left;
  const path: PathEach = (from, input, env, emit) =>
    left.path(from, input, env, (way, value) => right.path(way, value, env, emit));
  const first = left.one;
  const second = right.one;
  if (first !== null && second !== null) {
    const both = single((input, env) => second(first(input, env), env), path);
    const change = left.mutate;
    const then = right.mutate;
    if (change !== undefined && then !== undefined) {
      return { ...both, mutate: (state, env, owned) => then(change(state, env, owned), env, owned) };
    }
    return left.independent === true ? { ...both, independent: true } : both;
  }
  const before = left.maybe;
  const after = right.maybe;
  if (first !== null && after !== null) return optional((input, env) => after(first(input, env), env), path);
  if (before !== null && after !== null) {
    return optional((input, env) => {
      const value = before(input, env);
      return value === undefined ? undefined : after(value, env);
    }, path);
  }
  const next = right.each;
  if (first !== null) return many((input, env, emit) => next(first(input, env), env, emit), path);
  const loop = left.loop;
  if (after !== null) {
    const filter = many(
      second === null
        ? (input, env, emit) =>
            left.each(input, env, (value) => {
              const result = after(value, env);
              return result !== undefined && emit(result);
            })
        : (input, env, emit) => left.each(input, env, (value) => emit(second(value, env))),
      path,
    );
    if (loop === undefined) return filter;
    const body = loop.body;
    const composed: Maybe =
      body === null
        ? after
        : (input, env) => {
            const value = body(input, env);
            return value === undefined ? undefined : after(value, env);
          };
    return { ...filter, loop: { source: loop.source, body: composed, exact: loop.exact && second !== null } };
  }
  return many((input, env, emit) => left.each(input, env, (value) => next(value, env, emit)), path);
}

/** All outputs as a list, each charged as an item. */
export function collect(filter: Filter, input: Json, env: Env): Json[] {
  const values: Json[] = [];
  filter.each(input, env, (value) => {
    charge(ITEM_BYTES);
    values.push(value);
    return false;
  });
  return values;
}

/**
 * For each combination of the arguments, in jq's order for native functions: the last argument is the outermost loop.
 * The list is reused; take out of it what is to stay.
 */
export function product(
  filters: readonly Filter[],
  input: Json,
  env: Env,
  emit: (values: readonly Json[]) => boolean,
): boolean {
  const values: Json[] = new Array(filters.length).fill(null);
  const loop = (index: number): boolean => {
    if (index < 0) return emit(values);
    return filters[index]!.each(input, env, (value) => {
      values[index] = value;
      step();
      return loop(index - 1);
    });
  };
  return loop(filters.length - 1);
}
