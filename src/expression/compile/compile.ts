import type { Json } from "../../base/json.ts";
import { FORMATS } from "../builtins/formats.ts";
import { NATIVES } from "../builtins/natives.ts";
import { preludeDefinition } from "../builtins/prelude.ts";
import { enter, leave, meter, step } from "../meter.ts";
import type { Definition, Node, NodeOf } from "../syntax/ast.ts";
import { invalid } from "../syntax/invalid.ts";
import { raise } from "../values/failure.ts";
import { textOf } from "../values/serialize.ts";
import { index, iterate, recurse, slice } from "./access.ts";
import { assign, modify } from "./assign.ts";
import { as, compileBinders, foreach, reduce } from "./binding.ts";
import { array, object, text } from "./construct.ts";
import {
  comma,
  constant,
  type Each,
  type Env,
  Environment,
  type Filter,
  identity,
  type Maybe,
  many,
  type One,
  optional,
  type PathEach,
  pipe,
  single,
} from "./filter.ts";
import { alternative, attempt, binary, conditional, logical, negate } from "./operators.ts";
import { bind, type Closure, calls, countNodes, type Scope, type SharedFunction, up } from "./scope.ts";

/** Functions that do not call themselves are compiled anew at each call, up to this many nodes; then they are shared. */
const INLINE_NODES = 20_000;
const MAXIMUM_NODES = 200_000;

export interface Compiled {
  readonly filter: Filter;
  /** Names of the variables that the program does not bind itself, by their index. */
  readonly variables: readonly string[];
}

/** Turn a tree into closures. @throws expression_invalid for names that are not defined */
export function compile(root: Node, source: string, declared: readonly string[] | null): Compiled {
  const variables: string[] = [];
  let nodes = 0;

  const variable = (node: NodeOf<"variable">, scope: Scope, depth: number): Filter => {
    for (let at = scope; at !== null; at = at.parent) {
      if (at.kind !== "variable" || at.name !== node.name) continue;
      const hops = depth - at.slot - 1;
      if (hops === 0) return single((_input, env) => env!.value as Json);
      if (hops === 1) return single((_input, env) => env!.parent!.value as Json);
      return single((_input, env) => up(env, hops)!.value as Json);
    }
    if (node.name === "ENV") throw invalid(source, node.at, "the environment is not available");
    if (declared !== null && !declared.includes(node.name)) {
      throw invalid(source, node.at, `$${node.name} is not defined`);
    }
    let place = variables.indexOf(node.name);
    if (place === -1) place = variables.push(node.name) - 1;
    return single(() => {
      const value = meter.variables[place];
      if (value === undefined) throw raise(`$${node.name} has no value`);
      return value;
    });
  };

  const labelled = (node: NodeOf<"label">, scope: Scope, depth: number): Filter => {
    const body = visit(node.body, bind(scope, { kind: "label", name: node.name, slot: depth }), depth + 1);
    const guard = (env: Env, run: (inner: Env) => boolean): boolean => {
      const before = meter.depth;
      const token = new Break();
      try {
        return run(new Environment(token, env));
      } catch (error) {
        if (error !== token) throw error;
        meter.depth = before;
        return false;
      }
    };
    return many(
      (input, env, emit) => guard(env, (inner) => body.each(input, inner, emit)),
      (path, input, env, emit) => guard(env, (inner) => body.path(path, input, inner, emit)),
    );
  };

  const breakOut = (node: NodeOf<"break">, scope: Scope, depth: number): Filter => {
    for (let at = scope; at !== null; at = at.parent) {
      if (at.kind !== "label" || at.name !== node.name) continue;
      const hops = depth - at.slot - 1;
      return optional((_input, env) => {
        throw up(env, hops)!.value;
      });
    }
    throw invalid(source, node.at, `$*label-${node.name} is not defined`);
  };

  /** A function's body with each parameter standing for its argument. */
  const inline = (
    definition: Definition,
    scope: Scope,
    list: readonly Node[],
    callScope: Scope,
    depth: number,
  ): Filter => {
    let inner = scope;
    let size = depth;
    const values: Filter[] = [];
    definition.parameters.forEach((parameter, position) => {
      const argument = list[position]!;
      const name = parameter.startsWith("$") ? parameter.slice(1) : parameter;
      inner = bind(inner, { kind: "argument", name, node: argument, scope: callScope });
      if (name === parameter) return;
      values.push(visit(argument, callScope, size));
      inner = bind(inner, { kind: "variable", name, slot: size });
      size++;
    });
    let body = visit(definition.body, inner, size);
    for (const value of values.reverse()) {
      body = as(
        value,
        [{ bind: (v, _i, env, next) => next(new Environment(v, env)), scope: null, depth: 0, simple: true }],
        [body],
      );
    }
    return body;
  };

  /** Compile the body of a function that is called, not inlined: its parameters are closures in the environment. */
  const share = (shared: SharedFunction): void => {
    const { definition } = shared;
    for (const assumed of ["one", "maybe", "many"] as const) {
      shared.assumed = assumed;
      let inner = shared.scope;
      let size = shared.depth;
      for (const parameter of definition.parameters) {
        const name = parameter.startsWith("$") ? parameter.slice(1) : parameter;
        inner = bind(inner, { kind: "closure", name, slot: size });
        size++;
      }
      let body = definition.body;
      for (const parameter of definition.parameters.filter((name) => name.startsWith("$")).reverse()) {
        const name = parameter.slice(1);
        const argument: Node = { kind: "call", at: body.at, name, arguments: [] };
        body = { kind: "as", at: body.at, source: argument, patterns: [{ kind: "variable", name }], body };
      }
      const compiled = visit(body, inner, size);
      shared.body = compiled;
      if (assumed === "many" || (assumed === "one" ? compiled.one : compiled.maybe) !== null) return;
    }
  };

  const invoke = (shared: SharedFunction, list: readonly Node[], scope: Scope, depth: number): Filter => {
    const compiling = shared.weight === 0;
    if (compiling) {
      shared.weight = 1 + (countNodes(shared.definition.body) >> 3);
      share(shared);
    }
    const arguments_ = list.map((argument) => visit(argument, scope, depth));
    const hops = depth - shared.depth;
    const { weight } = shared;
    const prepare = (env: Env): Env => {
      let inner = up(env, hops);
      for (const filter of arguments_) inner = new Environment({ filter, env } satisfies Closure, inner);
      return inner;
    };
    // The body may still be in the making (a call inside itself), so it is looked up when it runs.
    const path: PathEach = (from, input, env, emit) => {
      step();
      enter(weight);
      const stopped = shared.body!.path(from, input, prepare(env), emit);
      leave(weight);
      return stopped;
    };
    if (shared.assumed !== "many") {
      const run: Maybe = (input, env) => {
        step();
        enter(weight);
        const value = shared.body!.maybe!(input, prepare(env));
        leave(weight);
        return value;
      };
      return shared.assumed === "one" ? single(run as One, path) : optional(run, path);
    }
    const each: Each = (input, env, emit) => {
      step();
      enter(weight);
      const stopped = shared.body!.each(input, prepare(env), emit);
      leave(weight);
      return stopped;
    };
    return many(each, path);
  };

  const call = (node: NodeOf<"call">, scope: Scope, depth: number): Filter => {
    const { name, arguments: list } = node;
    const arity = list.length;
    for (let at = scope; at !== null; at = at.parent) {
      if (at.name !== name) continue;
      if (at.kind === "argument" && arity === 0) return visit(at.node, at.scope, depth);
      if (at.kind === "closure" && arity === 0) {
        const hops = depth - at.slot - 1;
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
      if (at.kind !== "function" || at.arity !== arity) continue;
      const { shared } = at;
      if (shared.recursive || nodes > INLINE_NODES) return invoke(shared, list, scope, depth);
      return inline(shared.definition, shared.scope, list, scope, depth);
    }
    const key = `${name}/${arity}`;
    const native = NATIVES.get(key);
    if (native !== undefined) return native(list.map((argument) => visit(argument, scope, depth)));
    const definition = preludeDefinition(key);
    if (definition !== null) return inline(definition, null, list, scope, depth);
    throw invalid(source, node.at, `${key} is not defined`);
  };

  const define = (node: NodeOf<"define">, scope: Scope, depth: number): Filter => {
    const { definition } = node;
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
    };
    const inner = bind(scope, { kind: "function", name, arity: parameters.length, shared });
    if (recursive) shared.scope = inner;
    // A function that nobody calls must still be valid, as in jq.
    if (!calls(node.body, name, parameters.length)) checkUnused(shared);
    return visit(node.body, inner, depth);
  };

  const checkUnused = (shared: SharedFunction): void => {
    if (shared.weight !== 0) return;
    const before = shared.weight;
    shared.weight = 1;
    share(shared);
    shared.weight = before;
    shared.body = null;
  };

  const format = (name: string, at: number): ((value: Json) => string) => {
    const found = FORMATS.get(name);
    if (found === undefined) throw invalid(source, at, `${name} is not a valid format`);
    return found;
  };

  const visit = (node: Node, scope: Scope, depth: number): Filter => {
    if (++nodes > MAXIMUM_NODES) throw invalid(source, node.at, "the program is too large");
    switch (node.kind) {
      case "identity":
        return identity;
      case "recurse":
        return recurse;
      case "literal":
        return constant(node.value);
      case "text": {
        const parts = node.parts.map((part) => (typeof part === "string" ? part : visit(part, scope, depth)));
        return text(parts, node.format === null ? textOf : format(node.format, node.at));
      }
      case "format": {
        const convert = format(node.name, node.at);
        return single((input) => convert(input));
      }
      case "index":
        return index(visit(node.target, scope, depth), visit(node.key, scope, depth));
      case "slice": {
        const bound = (part: Node | null) => (part === null ? constant(null) : visit(part, scope, depth));
        return slice(visit(node.target, scope, depth), bound(node.from), bound(node.to));
      }
      case "iterate":
        return iterate(visit(node.target, scope, depth));
      case "array":
        return array(node.body === null ? null : visit(node.body, scope, depth));
      case "object":
        return object(
          node.entries.map(({ key, value }) => ({
            key: visit(key, scope, depth),
            value: visit(value, scope, depth),
          })),
        );
      case "negate":
        return negate(visit(node.body, scope, depth));
      case "pipe":
        return pipe(visit(node.left, scope, depth), visit(node.right, scope, depth));
      case "comma":
        return comma(visit(node.left, scope, depth), visit(node.right, scope, depth));
      case "binary":
        return binary(node.operator, visit(node.left, scope, depth), visit(node.right, scope, depth));
      case "and":
      case "or":
        return logical(node.kind, visit(node.left, scope, depth), visit(node.right, scope, depth));
      case "alternative":
        return alternative(visit(node.left, scope, depth), visit(node.right, scope, depth));
      case "assign": {
        const target = visit(node.left, scope, depth);
        const value = visit(node.right, scope, depth);
        return node.operator === "|=" ? modify(target, value) : assign(node.operator, target, value);
      }
      case "if":
        return conditional(
          visit(node.condition, scope, depth),
          visit(node.then, scope, depth),
          node.otherwise === null ? null : visit(node.otherwise, scope, depth),
        );
      case "try":
        return attempt(
          visit(node.body, scope, depth),
          node.handler === null ? null : visit(node.handler, scope, depth),
        );
      case "as": {
        const binders = compileBinders(node.patterns, scope, depth, visit);
        return as(
          visit(node.source, scope, depth),
          binders,
          binders.map((binder) => visit(node.body, binder.scope, binder.depth)),
        );
      }
      case "reduce": {
        const binders = compileBinders(node.patterns, scope, depth, visit);
        return reduce(
          visit(node.source, scope, depth),
          binders,
          visit(node.init, scope, depth),
          binders.map((binder) => visit(node.update, binder.scope, binder.depth)),
        );
      }
      case "foreach": {
        const binders = compileBinders(node.patterns, scope, depth, visit);
        const { extract } = node;
        return foreach(
          visit(node.source, scope, depth),
          binders,
          visit(node.init, scope, depth),
          binders.map((binder) => visit(node.update, binder.scope, binder.depth)),
          binders.map((binder) => (extract === null ? null : visit(extract, binder.scope, binder.depth))),
        );
      }
      case "define":
        return define(node, scope, depth);
      case "call":
        return call(node, scope, depth);
      case "variable":
        return variable(node, scope, depth);
      case "label":
        return labelled(node, scope, depth);
      case "break":
        return breakOut(node, scope, depth);
    }
  };

  const filter = visit(root, null, 0);
  return { filter, variables };
}

/** What `break` throws; each activation of a label has its own. */
class Break {}
