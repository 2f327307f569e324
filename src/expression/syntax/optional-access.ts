import type { Node } from "./ast.ts";

/**
 * `target[key]?`, which forgives the access alone: an error in the target or in the key is still one, and after a
 * value that has no such member the next one follows.
 */
export function optionalAccess(node: Node, at: number): Node {
  const dot: Node = { kind: "identity", at };
  const attempt = (access: Node): Node => ({ kind: "try", at, body: access, handler: null });
  const names: { name: string; source: Node }[] = [];
  /** Keys are computed before the target, from the input. */
  const bound = (key: Node): Node => {
    if (key.kind === "literal") return key;
    // No program can write a name with a blank.
    const name = `key ${names.length}`;
    names.push({ name, source: key });
    return { kind: "variable", at, name };
  };
  let access: Node;
  if (node.kind === "index") access = { ...node, target: dot, key: bound(node.key) };
  else if (node.kind === "slice") {
    const from = node.from === null ? null : bound(node.from);
    access = { ...node, target: dot, from, to: node.to === null ? null : bound(node.to) };
  } else if (node.kind === "iterate") access = { ...node, target: dot };
  else return attempt(node);
  let result: Node = { kind: "pipe", at, left: node.target, right: attempt(access) };
  for (const { name, source } of names.reverse()) {
    result = { kind: "as", at, source, patterns: [{ kind: "variable", name }], body: result };
  }
  return result;
}
