import type { Json } from "../../base/json.ts";
import { enter, leave, step } from "../meter.ts";
import type { Definition, Node, NodeOf } from "../syntax/ast.ts";
import { as } from "./binding.ts";
import {
  type Env,
  Environment,
  type Filter,
  type Maybe,
  many,
  type One,
  optional,
  type PathEach,
  single,
} from "./filter.ts";
import { bind, type Closure, calls, countNodes, type Scope, type SharedFunction, up } from "./scope.ts";

/** Compiles a node; `tail` is the function whose last step it would be. */
export type Visit = (node: Node, scope: Scope, depth: number, tail: SharedFunction | null) => Filter;

const isValue = (parameter: string): boolean => parameter.startsWith("$");
const plainName = (parameter: string): string => (isValue(parameter) ? parameter.slice(1) : parameter);

/**
 * A call that puts the body in its place, each parameter standing for its argument. Both see the environment of the
 * call: what surrounds a definition surrounds every place that can name it, at the same positions.
 */
export function inline(
  definition: Definition,
  scope: Scope,
  list: readonly Node[],
  callScope: Scope,
  depth: number,
  tail: SharedFunction | null,
  visit: Visit,
): Filter {
  let inner = scope;
  let size = depth;
  const values: Filter[] = [];
  definition.parameters.forEach((parameter, position) => {
    const argument = list[position]!;
    const name = plainName(parameter);
    inner = bind(inner, { kind: "argument", name, node: argument, scope: callScope });
    if (!isValue(parameter)) return;
    values.push(visit(argument, callScope, size, null));
    inner = bind(inner, { kind: "variable", name, slot: size });
    size++;
  });
  const last = values.every((value) => value.one !== null) ? tail : null;
  let body = visit(definition.body, inner, size, last);
  for (const value of values.reverse()) {
    body = as(
      value,
      [
        {
          bind: (bound, _input, env, next) => next(new Environment(bound, env)),
          scope: null,
          depth: 0,
          simple: true,
        },
      ],
      [body],
    );
  }
  return body;
}

/** A `$name` parameter is a filter `name` as well, but few bodies use that. */
function needsClosure(definition: Definition, parameter: string): boolean {
  return !isValue(parameter) || calls(definition.body, plainName(parameter), 0);
}

/** Compile the body of a function that is called, not inlined: its parameters are in the environment. */
function share(shared: SharedFunction, visit: Visit): void {
  const { definition } = shared;
  let inner = shared.scope;
  let size = shared.depth;
  for (const parameter of definition.parameters) {
    const name = plainName(parameter);
    if (needsClosure(definition, parameter)) inner = bind(inner, { kind: "closure", name, slot: size++ });
    if (isValue(parameter)) inner = bind(inner, { kind: "variable", name, slot: size++ });
  }
  // Its own calls need to know what it will be. The best is assumed first, and holds if the body then comes out so.
  for (const assumed of ["one", "maybe", "many"] as const) {
    shared.assumed = assumed;
    const body = visit(definition.body, inner, size, shared);
    shared.body = body;
    if (assumed === "many" || (assumed === "one" ? body.one : body.maybe) !== null) return;
  }
}

/** Set up a function that is only checked, because nothing calls it. */
export function checkUnused(shared: SharedFunction, visit: Visit): void {
  shared.weight = 1;
  share(shared, visit);
}

/** A call of a shared function. */
export function invoke(
  shared: SharedFunction,
  node: NodeOf<"call">,
  scope: Scope,
  depth: number,
  tail: SharedFunction | null,
  visit: Visit,
): Filter {
  if (shared.weight === 0) {
    shared.weight = 1 + (countNodes(shared.definition.body) >> 3);
    share(shared, visit);
  }
  const { weight } = shared;
  const { parameters } = shared.definition;
  const list = node.arguments.map((argument) => visit(argument, scope, depth, null));
  const hops = depth - shared.depth;
  const values = parameters.map(isValue);
  const closures = parameters.map((parameter) => needsClosure(shared.definition, parameter));
  const exact = values.every((value, position) => !value || list[position]!.one !== null);

  /** The environment of the body where every `$` argument has one value. */
  const prepare = (input: Json, env: Env): Env => {
    let inner = up(env, hops);
    for (let i = 0; i < list.length; i++) {
      const filter = list[i]!;
      if (closures[i]!) inner = new Environment({ filter, env } satisfies Closure, inner);
      if (values[i]!) inner = new Environment(filter.one!(input, env), inner);
    }
    return inner;
  };
  /** The same for each combination, the first argument as the outermost loop. */
  const combine = (input: Json, env: Env, then: (inner: Env) => boolean): boolean => {
    if (exact) return then(prepare(input, env));
    const loop = (at: number, inner: Env): boolean => {
      if (at === list.length) return then(inner);
      const filter = list[at]!;
      const outer = closures[at]! ? new Environment({ filter, env } satisfies Closure, inner) : inner;
      if (!values[at]!) return loop(at + 1, outer);
      return filter.each(input, env, (value) => loop(at + 1, new Environment(value, outer)));
    };
    return loop(0, up(env, hops));
  };
  // Paths know no shortcut for the last call: a tail call's `path` is an ordinary one.
  // The body may still be in the making (a call inside itself), so it is looked up when it runs.
  const path: PathEach = (from, input, env, emit) =>
    combine(input, env, (inner) => {
      step();
      enter(weight);
      const stopped = shared.body!.path(from, input, inner, emit);
      leave(weight);
      return stopped;
    });

  if (tail === shared && exact) {
    const again: Maybe = (input, env) => {
      step();
      shared.pending = { input, env: prepare(input, env) };
      return undefined;
    };
    const each: Filter["each"] = (input, env) => {
      again(input, env);
      return false;
    };
    const last = { each, path, maybe: again };
    if (shared.assumed === "one") return { ...last, one: again as One };
    return shared.assumed === "maybe" ? { ...last, one: null } : { ...last, one: null, maybe: null };
  }
  if (shared.assumed !== "many" && exact) {
    const run: Maybe = (input, env) => {
      step();
      enter(weight);
      let value = shared.body!.maybe!(input, prepare(input, env));
      while (shared.pending !== null) {
        const next = shared.pending;
        shared.pending = null;
        value = shared.body!.maybe!(next.input, next.env);
      }
      leave(weight);
      return value;
    };
    return shared.assumed === "one" ? single(run as One, path) : optional(run, path);
  }
  return many(
    (input, env, emit) =>
      combine(input, env, (inner) => {
        step();
        enter(weight);
        let stopped = shared.body!.each(input, inner, emit);
        while (shared.pending !== null) {
          const next = shared.pending;
          shared.pending = null;
          stopped = shared.body!.each(next.input, next.env, emit);
        }
        leave(weight);
        return stopped;
      }),
    path,
  );
}

/** A call of a filter parameter of a shared function. */
export function callClosure(hops: number): Filter {
  return many(
    (input, env, emit) => {
      const closure = up(env, hops)!.value as Closure;
      step();
      return closure.filter.each(input, closure.env, emit);
    },
    (path, input, env, emit) => {
      const closure = up(env, hops)!.value as Closure;
      step();
      return closure.filter.path(path, input, closure.env, emit);
    },
  );
}

/** The function of a definition, not yet compiled, and the scope in which it has its name. */
export function declare(
  definition: Definition,
  scope: Scope,
  depth: number,
): { shared: SharedFunction; scope: Scope } {
  const { name, parameters, body } = definition;
  const recursive = calls(body, name, parameters.length);
  const shared: SharedFunction = {
    definition,
    depth,
    recursive,
    scope,
    body: null,
    assumed: "one",
    weight: 0,
    pending: null,
  };
  const inner = bind(scope, { kind: "function", name, arity: parameters.length, shared });
  if (recursive) shared.scope = inner;
  return { shared, scope: inner };
}
