import type { Node } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import { type Grammar, location } from "./terms.ts";

/** An object behind its opening brace. */
export function parseObject(cursor: Cursor, grammar: Grammar, at: number): Node {
  const { source, now, is, isOperator, take, advance, expect, nested, unexpected } = cursor;

  const objectEntry = (): { key: Node; value: Node } => {
    const at = now().start;
    const dot: Node = { kind: "identity", at };
    if (is("variable")) {
      const name = advance().text;
      const value: Node = name === "__loc__" ? location(source, at) : { kind: "variable", at, name };
      const key: Node = { kind: "literal", at, value: name };
      if (!isOperator(":")) return { key, value };
      advance();
      return { key: value, value: objectValue() };
    }
    let key: Node;
    if (is("identifier") || is("keyword")) {
      key = { kind: "literal", at, value: advance().text };
    } else if (is("quote")) key = grammar.string(null);
    else if (is("format")) {
      const format = advance().text;
      if (!is("quote")) return unexpected("a string");
      key = grammar.string(format);
    } else if (take("(")) {
      key = grammar.pipe();
      expect(")");
      expect(":");
      return { key, value: objectValue() };
    } else return unexpected("an object key or '}'");
    if (!take(":")) return { key, value: { kind: "index", at, target: dot, key } };
    return { key, value: objectValue() };
  };

  // A value ends at a comma, but may hold pipes: `{a: 1 | 2}`.
  const objectValue = (): Node =>
    nested(() => {
      const left = grammar.alternative();
      return take("|") ? { kind: "pipe", at: left.at, left, right: objectValue() } : left;
    });

  const entries: { key: Node; value: Node }[] = [];
  while (!take("}")) {
    entries.push(objectEntry());
    if (isOperator("}")) continue;
    expect(",");
    if (isOperator("}")) unexpected("an object key");
  }
  return { kind: "object", at, entries };
}
