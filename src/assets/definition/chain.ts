import type { CallExpression } from "@oxc-project/types";
import { SourceProblem } from "../diagnostics.ts";
import { type Node, unwrap } from "../values.ts";

/** One call of a builder chain: `.name(arguments)`. */
export interface ChainCall {
  readonly name: string;
  readonly arguments: CallExpression["arguments"];
  /** Where the method's name stands. */
  readonly offset: number;
}

/** `root(…).first(…).second(…)` taken apart, in the order of writing. */
export interface Chain {
  readonly root: ChainCall;
  readonly calls: readonly ChainCall[];
}

/** Take a builder chain apart; anything else in its place is a problem. */
export function readChain(expression: Node): Chain {
  const calls: ChainCall[] = [];
  let node = unwrap(expression);
  for (;;) {
    if (node.type !== "CallExpression" || node.optional) return refuse(node.start);
    const callee = unwrap(node.callee as Node);
    if (callee.type === "Identifier") {
      calls.reverse();
      return { root: { name: callee.name, arguments: node.arguments, offset: callee.start }, calls };
    }
    if (callee.type !== "MemberExpression" || callee.computed || callee.optional) return refuse(callee.start);
    if (callee.property.type !== "Identifier") return refuse(callee.property.start);
    calls.push({ name: callee.property.name, arguments: node.arguments, offset: callee.property.start });
    node = unwrap(callee.object);
  }
}

function refuse(offset: number): never {
  throw new SourceProblem(
    "define_unsupported",
    "define() does not return a builder chain",
    "start with workflow(META.id), node(META.id), composition(META.id) or model(META.id) and call its methods",
    offset,
  );
}
