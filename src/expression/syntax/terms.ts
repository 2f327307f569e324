import type { Node } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import { parseObject } from "./object.ts";
import { optionalAccess } from "./optional-access.ts";
import { parsePatterns } from "./patterns.ts";

/** The rules that refer to one another across the files of the grammar. */
export interface Grammar {
  /** Anything: definitions, pipes, commas. */
  pipe(): Node;
  /** What stands between commas. */
  alternative(): Node;
  /** A term with minus signs. */
  signed(): Node;
  string(format: string | null): Node;
}

/** `$__loc__` */
export function location(source: string, at: number): Node {
  const line = source.slice(0, at).split("\n").length;
  return { kind: "literal", at, value: { file: "<top-level>", line } };
}

/** A term and the accesses behind it. */
export function parsePostfix(cursor: Cursor, grammar: Grammar): Node {
  const {
    source,
    now,
    refuse,
    unexpected,
    advance,
    is,
    isOperator,
    take,
    takeKeyword,
    expect,
    expectKeyword,
  } = cursor;
  const { nested, chain } = cursor;

  const postfix = (): Node => {
    const first = now();
    let node = term();
    // Whether the last step was an access, to which a `?` belongs alone.
    let access = node.kind === "index" && first.text !== "(";
    for (let links = 0; ; chain(++links)) {
      const at = now().start;
      if (is("field")) {
        node = { kind: "index", at, target: node, key: { kind: "literal", at, value: advance().text } };
      } else if (isOperator(".")) {
        const dot = advance();
        if (is("quote")) node = { kind: "index", at, target: node, key: grammar.string(null) };
        else if (isOperator("[")) node = bracket(node);
        else return refuse("a name, a string or '[' must follow '.'", dot);
      } else if (isOperator("[")) node = bracket(node);
      else if (take("?")) {
        node = access ? optionalAccess(node, at) : { kind: "try", at, body: node, handler: null };
        access = false;
        continue;
      } else return node;
      access = true;
    }
  };

  const bracket = (target: Node): Node => {
    const at = advance().start;
    if (take("]")) return { kind: "iterate", at, target };
    if (take(":")) {
      const to = grammar.pipe();
      expect("]");
      return { kind: "slice", at, target, from: null, to };
    }
    const key = grammar.pipe();
    if (take(":")) {
      if (take("]")) return { kind: "slice", at, target, from: key, to: null };
      const to = grammar.pipe();
      expect("]");
      return { kind: "slice", at, target, from: key, to };
    }
    expect("]");
    return { kind: "index", at, target, key };
  };

  const term = (): Node => {
    const at = now().start;
    switch (now().kind) {
      case "number":
        return { kind: "literal", at, value: Number(advance().text) };
      case "quote":
        return grammar.string(null);
      case "format": {
        const name = advance().text;
        return is("quote") ? grammar.string(name) : { kind: "format", at, name };
      }
      case "variable": {
        const name = advance().text;
        return name === "__loc__" ? location(source, at) : { kind: "variable", at, name };
      }
      case "field":
        return {
          kind: "index",
          at,
          target: { kind: "identity", at },
          key: { kind: "literal", at, value: advance().text },
        };
      case "identifier":
        return call(at);
      case "keyword":
        return keyword(at);
      case "operator":
        return nested(() => punctuation(at));
      default:
        return unexpected("an expression");
    }
  };

  const call = (at: number): Node => {
    const name = advance().text;
    if (isOperator("::")) refuse("modules are not available");
    if (name === "break" && is("variable")) return { kind: "break", at, name: advance().text };
    const list: Node[] = [];
    if (take("(")) {
      do list.push(grammar.pipe());
      while (take(";"));
      expect(")");
    }
    return { kind: "call", at, name, arguments: list };
  };

  const keyword = (at: number): Node => {
    switch (now().text) {
      case "if":
        advance();
        return conditional(at);
      case "try": {
        advance();
        const body = nested(grammar.signed);
        return { kind: "try", at, body, handler: takeKeyword("catch") ? nested(grammar.signed) : null };
      }
      case "reduce": {
        advance();
        const from = grammar.signed();
        expectKeyword("as");
        const patterns = parsePatterns(cursor, grammar);
        expect("(");
        const init = grammar.pipe();
        expect(";");
        const update = grammar.pipe();
        expect(")");
        return { kind: "reduce", at, source: from, patterns, init, update };
      }
      case "foreach": {
        advance();
        const from = grammar.signed();
        expectKeyword("as");
        const patterns = parsePatterns(cursor, grammar);
        expect("(");
        const init = grammar.pipe();
        expect(";");
        const update = grammar.pipe();
        const extract = take(";") ? grammar.pipe() : null;
        expect(")");
        return { kind: "foreach", at, source: from, patterns, init, update, extract };
      }
      case "import":
      case "include":
      case "module":
        return refuse("modules are not available");
      default:
        return unexpected("an expression");
    }
  };

  const conditional = (at: number): Node => {
    const condition = grammar.pipe();
    expectKeyword("then");
    const then = grammar.pipe();
    let otherwise: Node | null = null;
    const next = now().start;
    if (takeKeyword("elif"))
      return { kind: "if", at, condition, then, otherwise: nested(() => conditional(next)) };
    if (takeKeyword("else")) otherwise = grammar.pipe();
    expectKeyword("end");
    return { kind: "if", at, condition, then, otherwise };
  };

  const punctuation = (at: number): Node => {
    if (take(".")) {
      if (is("quote") && now().start === at + 1) {
        return { kind: "index", at, target: { kind: "identity", at }, key: grammar.string(null) };
      }
      return { kind: "identity", at };
    }
    if (take("..")) return { kind: "recurse", at };
    if (take("(")) {
      const inner = grammar.pipe();
      expect(")");
      return inner;
    }
    if (take("[")) {
      if (take("]")) return { kind: "array", at, body: null };
      const body = grammar.pipe();
      expect("]");
      return { kind: "array", at, body };
    }
    if (take("{")) return parseObject(cursor, grammar, at);
    return unexpected("an expression");
  };

  return postfix();
}
