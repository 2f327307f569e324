import type { Json } from "../../base/json.ts";
import { FORMATS } from "../builtins/formats.ts";
import { NATIVES } from "../builtins/natives.ts";
import { preludeDefinition, preludeNames } from "../builtins/prelude.ts";
import { meter } from "../meter.ts";
import type { Node, NodeOf } from "../syntax/ast.ts";
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
  type Env,
  Environment,
  type Filter,
  identity,
  many,
  type One,
  optional,
  pipe,
  single,
} from "./filter.ts";
import { callClosure, checkUnused, declare, inline, invoke, type Visit } from "./functions.ts";
import { alternative, attempt, binary, conditional, logical, negate } from "./operators.ts";
import { bind, calls, type Scope, type SharedFunction, up } from "./scope.ts";

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

  const bound = (hops: number): Filter => {
    const read: One =
      hops === 0
        ? (_input, env) => env!.value as Json
        : hops === 1
          ? (_input, env) => env!.parent!.value as Json
          : (_input, env) => up(env, hops)!.value as Json;
    return { ...single(read), independent: true };
  };

  const variable = (node: NodeOf<"variable">, scope: Scope, depth: number): Filter => {
    for (let at = scope; at !== null; at = at.parent) {
      if (at.kind !== "variable" || at.name !== node.name) continue;
      return bound(depth - at.slot - 1);
    }
    if (node.name === "ENV") throw invalid(source, node.at, "the environment is not available");
    if (declared !== null && !declared.includes(node.name)) {
      throw invalid(source, node.at, `$${node.name} is not defined`);
    }
    let place = variables.indexOf(node.name);
    if (place === -1) place = variables.push(node.name) - 1;
    const read = single(() => {
      const value = meter.variables[place];
      if (value === undefined) throw raise(`$${node.name} has no value`);
      return value;
    });
    return { ...read, independent: true };
  };

  const labelled = (node: NodeOf<"label">, scope: Scope, depth: number): Filter => {
    const body = visit(
      node.body,
      bind(scope, { kind: "label", name: node.name, slot: depth }),
      depth + 1,
      null,
    );
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

  const call = (node: NodeOf<"call">, scope: Scope, depth: number, tail: SharedFunction | null): Filter => {
    const { name, arguments: list } = node;
    const arity = list.length;
    for (let at = scope; at !== null; at = at.parent) {
      if (at.name !== name) continue;
      if (at.kind === "argument" && arity === 0) return visit(at.node, at.scope, depth, tail);
      if (at.kind === "closure" && arity === 0) return callClosure(depth - at.slot - 1);
      if (at.kind !== "function" || at.arity !== arity) continue;
      const { shared } = at;
      if (shared.recursive || nodes > INLINE_NODES) return invoke(shared, node, scope, depth, tail, visit);
      return inline(shared.definition, shared.scope, list, scope, depth, tail, visit);
    }
    const key = `${name}/${arity}`;
    if (key === "builtins/0")
      return constant([...NATIVES.keys(), ...preludeNames()].filter((one) => one[0] !== "_"));
    const native = NATIVES.get(key);
    if (native !== undefined) return native(list.map((argument) => visit(argument, scope, depth, null)));
    const definition = preludeDefinition(key);
    if (definition !== null) return inline(definition, null, list, scope, depth, tail, visit);
    throw invalid(source, node.at, `${key} is not defined`);
  };

  const define = (
    node: NodeOf<"define">,
    scope: Scope,
    depth: number,
    tail: SharedFunction | null,
  ): Filter => {
    const { definition } = node;
    const { name, parameters } = definition;
    const declared = declare(definition, scope, depth);
    // A function that nobody calls must still be valid, as in jq.
    if (!calls(node.body, name, parameters.length)) checkUnused(declared.shared, visit);
    return visit(node.body, declared.scope, depth, tail);
  };

  const format = (name: string, at: number): ((value: Json) => string) => {
    const found = FORMATS.get(name);
    if (found === undefined) throw invalid(source, at, `${name} is not a valid format`);
    return found;
  };

  const plain = (node: Node, scope: Scope, depth: number): Filter => visit(node, scope, depth, null);

  const visit: Visit = (node, scope, depth, tail) => {
    const part = (inner: Node): Filter => visit(inner, scope, depth, null);
    if (++nodes > MAXIMUM_NODES) throw invalid(source, node.at, "the program is too large");
    switch (node.kind) {
      case "identity":
        return identity;
      case "recurse":
        return recurse;
      case "literal":
        return constant(node.value);
      case "text": {
        const parts = node.parts.map((piece) => (typeof piece === "string" ? piece : part(piece)));
        return text(parts, node.format === null ? textOf : format(node.format, node.at));
      }
      case "format": {
        const convert = format(node.name, node.at);
        return single((input) => convert(input));
      }
      case "index":
        return index(part(node.target), part(node.key));
      case "slice": {
        const bound = (place: Node | null) => (place === null ? constant(null) : part(place));
        return slice(part(node.target), bound(node.from), bound(node.to));
      }
      case "iterate":
        return iterate(part(node.target));
      case "array":
        return array(node.body === null ? null : part(node.body));
      case "object":
        return object(
          node.entries.map(({ key, value }) => ({
            key: part(key),
            value: part(value),
          })),
        );
      case "negate":
        return negate(part(node.body));
      case "pipe": {
        const left = part(node.left);
        return pipe(left, visit(node.right, scope, depth, left.maybe === null ? null : tail));
      }
      case "comma":
        return comma(part(node.left), visit(node.right, scope, depth, tail));
      case "binary":
        return binary(node.operator, part(node.left), part(node.right));
      case "and":
      case "or":
        return logical(node.kind, part(node.left), part(node.right));
      case "alternative": {
        const left = part(node.left);
        return alternative(left, visit(node.right, scope, depth, left.maybe === null ? null : tail));
      }
      case "assign": {
        const target = part(node.left);
        const value = part(node.right);
        return node.operator === "|=" ? modify(target, value) : assign(node.operator, target, value);
      }
      case "if": {
        const condition = part(node.condition);
        const last = condition.one === null ? null : tail;
        return conditional(
          condition,
          visit(node.then, scope, depth, last),
          node.otherwise === null ? null : visit(node.otherwise, scope, depth, last),
        );
      }
      case "try":
        return attempt(part(node.body), node.handler === null ? null : part(node.handler));
      case "as": {
        const binders = compileBinders(node.patterns, scope, depth, plain);
        const from = part(node.source);
        const last = from.one !== null && binders[0]!.simple ? tail : null;
        return as(
          from,
          binders,
          binders.map((binder) => visit(node.body, binder.scope, binder.depth, last)),
        );
      }
      case "reduce": {
        const binders = compileBinders(node.patterns, scope, depth, plain);
        return reduce(
          part(node.source),
          binders,
          part(node.init),
          binders.map((binder) => plain(node.update, binder.scope, binder.depth)),
        );
      }
      case "foreach": {
        const binders = compileBinders(node.patterns, scope, depth, plain);
        const { extract } = node;
        return foreach(
          part(node.source),
          binders,
          part(node.init),
          binders.map((binder) => plain(node.update, binder.scope, binder.depth)),
          binders.map((binder) => (extract === null ? null : plain(extract, binder.scope, binder.depth))),
        );
      }
      case "define":
        return define(node, scope, depth, tail);
      case "call":
        return call(node, scope, depth, tail);
      case "variable":
        return variable(node, scope, depth);
      case "label":
        return labelled(node, scope, depth);
      case "break":
        return breakOut(node, scope, depth);
    }
  };

  const filter = visit(root, null, 0, null);
  return { filter, variables };
}

/** What `break` throws; each activation of a label has its own. */
class Break {}
