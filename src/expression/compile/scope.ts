import type { Json } from "../../base/json.ts";
import type { Definition, Node } from "../syntax/ast.ts";
import type { Env, Filter } from "./filter.ts";

/** What a name means at a place of the program. Slots are absolute positions in the environment, counted from its root. */
export type Scope = null | (Entry & { readonly parent: Scope });

export type Entry =
  | { readonly kind: "variable"; readonly name: string; readonly slot: number }
  | { readonly kind: "label"; readonly name: string; readonly slot: number }
  /** A function; `depth` is the length of the environment where it is defined. */
  | {
      readonly kind: "function";
      readonly name: string;
      readonly arity: number;
      readonly shared: SharedFunction;
    }
  /** A parameter of an inlined function: the argument stands in for it, in the scope of the call. */
  | { readonly kind: "argument"; readonly name: string; readonly node: Node; readonly scope: Scope }
  /** A filter parameter of a recursive function: a closure in the environment. */
  | { readonly kind: "closure"; readonly name: string; readonly slot: number };

export interface SharedFunction {
  readonly definition: Definition;
  readonly depth: number;
  readonly recursive: boolean;
  /** The scope of its body without the parameters; holds the function itself. */
  scope: Scope;
  body: Filter | null;
  /** While the body is compiled its own calls need to know what it will be: first the best is assumed. */
  assumed: "one" | "maybe" | "many";
  /** What one activation costs of the depth budget; 0 before the body is compiled. */
  weight: number;
  /** Set by a call of itself as the very last thing: the activation that ends takes it up, instead of a deeper one. */
  pending: { readonly input: Json; readonly env: Env } | null;
}

export interface Closure {
  readonly filter: Filter;
  readonly env: Env;
}

export function bind(scope: Scope, entry: Entry): Scope {
  return { ...entry, parent: scope };
}

/** The environment `hops` bindings up. */
export function up(env: Env, hops: number): Env {
  let at = env;
  for (let i = 0; i < hops; i++) at = at!.parent;
  return at;
}

/** Whether a body calls a function of this name and number of parameters; shadowing only makes the answer too careful. */
export function calls(body: Node, name: string, arity: number): boolean {
  let found = false;
  visit(body, (node) => {
    if (node.kind === "call" && node.name === name && node.arguments.length === arity) found = true;
  });
  return found;
}

export function countNodes(body: Node): number {
  let count = 0;
  visit(body, () => {
    count++;
  });
  return count;
}

/** Every node below (and with) one, by their generic shape: each object with a `kind` and an `at`, or a list of them. */
function visit(node: Node, see: (node: Node) => void): void {
  const stack: unknown[] = [node];
  while (stack.length > 0) {
    const item = stack.pop();
    if (Array.isArray(item)) stack.push(...item);
    else if (typeof item === "object" && item !== null) {
      if ("at" in item && "kind" in item) {
        see(item as Node);
        if ((item as Node).kind === "literal") continue;
      }
      stack.push(...Object.values(item));
    }
  }
}
