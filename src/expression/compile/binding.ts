import type { Json } from "../../base/json.ts";
import { meter, step } from "../meter.ts";
import type { Node, Pattern } from "../syntax/ast.ts";
import { Raised, raise } from "../values/failure.ts";
import { typeName } from "../values/kind.ts";
import { getKey, type Owned } from "../values/path.ts";
import {
  type Env,
  Environment,
  type Filter,
  many,
  optional,
  type Path,
  type PathEmit,
  single,
} from "./filter.ts";
import { bind, type Scope } from "./scope.ts";

export type Compile = (node: Node, scope: Scope, depth: number) => Filter;

/** Takes a value apart and calls back with the environment that has its names, once for each way to do it. */
type Bind = (value: Json, input: Json, env: Env, next: (env: Env) => boolean) => boolean;

export interface Binder {
  readonly bind: Bind;
  readonly scope: Scope;
  readonly depth: number;
  /** The pattern is one name. */
  readonly simple: boolean;
}

const bindOne: Bind = (value, _input, env, next) => next(new Environment(value, env));

function compilePattern(pattern: Pattern, scope: Scope, depth: number, compile: Compile): Binder {
  if (pattern.kind === "variable") {
    return {
      bind: bindOne,
      scope: bind(scope, { kind: "variable", name: pattern.name, slot: depth }),
      depth: depth + 1,
      simple: true,
    };
  }
  let bound: Bind = (_value, _input, env, next) => next(env);
  let inner = scope;
  let size = depth;
  const chain = (following: Bind): void => {
    const before = bound;
    bound = (value, input, env, next) =>
      before(value, input, env, (extended) => following(value, input, extended, next));
  };
  if (pattern.kind === "array") {
    pattern.items.forEach((item, position) => {
      const part = compilePattern(item, inner, size, compile);
      chain((value, input, env, next) => part.bind(getKey(value, position), input, env, next));
      inner = part.scope;
      size = part.depth;
    });
    return { bind: bound, scope: inner, depth: size, simple: false };
  }
  for (const entry of pattern.entries) {
    const key = compile(entry.key, inner, size);
    if (entry.bind !== undefined) {
      const name = entry.bind;
      inner = bind(inner, { kind: "variable", name, slot: size });
      size++;
      chain((value, _input, env, next) => next(new Environment(getKey(value, name), env)));
    }
    if (entry.value === undefined) continue;
    const part = compilePattern(entry.value, inner, size, compile);
    const named = entry.bind;
    chain((value, input, env, next) => {
      if (named !== undefined) return part.bind(getKey(value, named), input, env, next);
      return key.each(input, env, (at) => {
        if (typeof at !== "string") throw raise(`Cannot index ${typeName(value)} with ${typeName(at)}`);
        return part.bind(getKey(value, at), input, env, next);
      });
    });
    inner = part.scope;
    size = part.depth;
  }
  return { bind: bound, scope: inner, depth: size, simple: false };
}

function namesOf(pattern: Pattern): string[] {
  switch (pattern.kind) {
    case "variable":
      return [pattern.name];
    case "array":
      return pattern.items.flatMap(namesOf);
    default:
      return pattern.entries.flatMap((entry) => [
        ...(entry.bind === undefined ? [] : [entry.bind]),
        ...(entry.value === undefined ? [] : namesOf(entry.value)),
      ]);
  }
}

/** One binder for each `?//` alternative; every name of all of them is there, null unless its own alternative binds it. */
export function compileBinders(
  patterns: readonly Pattern[],
  scope: Scope,
  depth: number,
  compile: Compile,
): Binder[] {
  if (patterns.length === 1) return [compilePattern(patterns[0]!, scope, depth, compile)];
  const names = [...new Set(patterns.flatMap(namesOf))];
  let outer = scope;
  names.forEach((name, position) => {
    outer = bind(outer, { kind: "variable", name, slot: depth + position });
  });
  return patterns.map((pattern) => {
    const binder = compilePattern(pattern, outer, depth + names.length, compile);
    return {
      ...binder,
      simple: false,
      bind: (value, input, env, next) => {
        let extended = env;
        for (const _ of names) extended = new Environment(null, extended);
        return binder.bind(value, input, extended, next);
      },
    };
  });
}

/**
 * Run `use` with the first alternative that does not fail; an error in what follows the pattern inside the expression
 * counts as failing, an error behind its outputs does not.
 */
function alternatives<E>(
  count: number,
  emit: (path: Path | null, value: Json) => boolean,
  use: (index: number, emit: PathEmit) => boolean | E,
): boolean | E {
  for (let index = 0; index < count - 1; index++) {
    const depth = meter.depth;
    let outside: unknown;
    try {
      return use(index, (path, value) => {
        try {
          return emit(path, value);
        } catch (error) {
          outside = error;
          throw error;
        }
      });
    } catch (error) {
      if (error === outside || !(error instanceof Raised)) throw error;
      meter.depth = depth;
    }
  }
  return use(count - 1, emit);
}

/** `source as pattern | body` */
export function as(source: Filter, binders: readonly Binder[], bodies: readonly Filter[]): Filter {
  const binder = binders[0]!;
  const body = bodies[0]!;
  if (binders.length === 1) {
    const path: Filter["path"] = (from, input, env, emit) =>
      source.each(input, env, (value) => {
        step();
        return binder.bind(value, input, env, (extended) => body.path(from, input, extended, emit));
      });
    if (binder.simple) {
      const of = source.one;
      const one = body.one;
      if (of !== null && one !== null) {
        return single((input, env) => one(input, new Environment(of(input, env), env)), path);
      }
      const maybe = body.maybe;
      if (of !== null && maybe !== null) {
        return optional((input, env) => maybe(input, new Environment(of(input, env), env)), path);
      }
    }
    return many(
      (input, env, emit) =>
        source.each(input, env, (value) => {
          step();
          return binder.bind(value, input, env, (extended) => body.each(input, extended, emit));
        }),
      path,
    );
  }
  const path: Filter["path"] = (from, input, env, emit) =>
    source.each(input, env, (value) =>
      alternatives<boolean>(binders.length, emit, (index, out) =>
        binders[index]!.bind(value, input, env, (extended) =>
          bodies[index]!.path(from, input, extended, out),
        ),
      ),
    );
  return many(
    (input, env, emit) =>
      source.each(input, env, (value) =>
        alternatives<boolean>(
          binders.length,
          (_path, output) => emit(output),
          (index, out) =>
            binders[index]!.bind(value, input, env, (extended) =>
              bodies[index]!.each(input, extended, (output) => out(null, output)),
            ),
        ),
      ),
    path,
  );
}

/** `reduce source as pattern (init; update)`: the last output of each update, null where there is none. */
export function reduce(
  source: Filter,
  binders: readonly Binder[],
  init: Filter,
  updates: readonly Filter[],
): Filter {
  const fold = (input: Json, env: Env, start: Json): Json => {
    let state = start;
    const only = updates[0]!.one;
    if (binders.length === 1 && binders[0]!.simple && only !== null) {
      const { mutate } = updates[0]!;
      if (mutate !== undefined) {
        const owned: Owned = new Set();
        source.each(input, env, (value) => {
          step();
          state = mutate(state, new Environment(value, env), owned);
          return false;
        });
        return state;
      }
      source.each(input, env, (value) => {
        step();
        state = only(state, new Environment(value, env));
        return false;
      });
      return state;
    }
    source.each(input, env, (value) => {
      step();
      alternatives<boolean>(
        binders.length,
        () => false,
        (index) => {
          const start = state;
          return binders[index]!.bind(value, input, env, (extended) => {
            let last: Json = null;
            updates[index]!.each(binders.length > 1 ? start : state, extended, (next) => {
              last = next;
              return false;
            });
            state = last;
            return false;
          });
        },
      );
      return false;
    });
    return state;
  };
  const path: Filter["path"] = (from, input, env, emit) =>
    init.path(from, input, env, (way, start) => {
      let state: readonly [Path | null, Json] = [way, start];
      source.each(input, env, (value) => {
        step();
        return binders[0]!.bind(value, input, env, (extended) => {
          let last: readonly [Path | null, Json] = [null, null];
          updates[0]!.path(state[0], state[1], extended, (next, output) => {
            last = [next, output];
            return false;
          });
          state = last;
          return false;
        });
      });
      return emit(...state);
    });
  const start = init.one;
  if (start !== null) return single((input, env) => fold(input, env, start(input, env)), path);
  return many((input, env, emit) => init.each(input, env, (value) => emit(fold(input, env, value))), path);
}

/** `foreach source as pattern (init; update; extract)` */
export function foreach(
  source: Filter,
  binders: readonly Binder[],
  init: Filter,
  updates: readonly Filter[],
  extracts: readonly (Filter | null)[],
): Filter {
  return many(
    (input, env, emit) =>
      init.each(input, env, (start) => {
        let state = start;
        return source.each(input, env, (value) => {
          step();
          return alternatives<boolean>(
            binders.length,
            (_path, output) => emit(output),
            (index, out) =>
              binders[index]!.bind(value, input, env, (extended) =>
                updates[index]!.each(state, extended, (next) => {
                  state = next;
                  const extract = extracts[index];
                  return extract
                    ? extract.each(next, extended, (output) => out(null, output))
                    : out(null, next);
                }),
              ),
          );
        });
      }),
    (from, input, env, emit) =>
      init.path(from, input, env, (way, start) => {
        let path = way;
        let state = start;
        return source.each(input, env, (value) => {
          step();
          return binders[0]!.bind(value, input, env, (extended) =>
            updates[0]!.path(path, state, extended, (next, output) => {
              path = next;
              state = output;
              const extract = extracts[0];
              return extract ? extract.path(next, output, extended, emit) : emit(next, output);
            }),
          );
        });
      }),
  );
}
