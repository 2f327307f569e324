import type { AssignOperator, BinaryOperator, Definition, Node } from "./ast.ts";
import { createCursor } from "./cursor.ts";
import { invalid } from "./invalid.ts";
import { parsePatterns } from "./patterns.ts";
import { parseString } from "./string.ts";
import { type Grammar, parsePostfix } from "./terms.ts";

const MAXIMUM_SOURCE = 256 * 1024;

const ASSIGNMENTS = new Set(["=", "|=", "+=", "-=", "*=", "/=", "%=", "//="]);
const COMPARISONS = new Set(["==", "!=", "<", "<=", ">", ">="]);

/** jq 1.8's grammar by recursive descent. @throws expression_invalid with offset, line and column */
export function parse(source: string): Node {
  if (source.length > MAXIMUM_SOURCE) {
    throw invalid(source, 0, `the program is longer than ${MAXIMUM_SOURCE} characters`);
  }
  const cursor = createCursor(source);
  const { now, refuse, unexpected, advance, is, isOperator, isKeyword, take, takeKeyword, expect } = cursor;
  const { expectVariable, nested, chain } = cursor;

  const pipe = (): Node =>
    nested(() => {
      const parts: Node[] = [];
      let result: Node;
      for (;;) {
        const at = now().start;
        if (isKeyword("def")) {
          const definition = define();
          result = { kind: "define", at, definition, body: pipe() };
          break;
        }
        const left = comma();
        if (!take("|")) {
          result = left;
          break;
        }
        parts.push(left);
        chain(parts.length);
      }
      for (let i = parts.length - 1; i >= 0; i--) {
        result = { kind: "pipe", at: parts[i]!.at, left: parts[i]!, right: result };
      }
      return result;
    });

  const comma = (): Node => {
    const parts = [alternative()];
    while (take(",")) parts.push(alternative());
    // A balanced tree, so that a long list is not a deep one.
    const join = (from: number, to: number): Node => {
      if (to - from === 1) return parts[from]!;
      const middle = (from + to) >> 1;
      return { kind: "comma", at: parts[from]!.at, left: join(from, middle), right: join(middle, to) };
    };
    return join(0, parts.length);
  };

  const alternative = (): Node => {
    const parts: Node[] = [assignment()];
    while (take("//")) {
      parts.push(assignment());
      chain(parts.length);
    }
    let result = parts[parts.length - 1]!;
    for (let i = parts.length - 2; i >= 0; i--) {
      result = { kind: "alternative", at: parts[i]!.at, left: parts[i]!, right: result };
    }
    return result;
  };

  const assignment = (): Node => {
    const left = or();
    if (!is("operator") || !ASSIGNMENTS.has(now().text)) return left;
    const operator = advance().text as AssignOperator;
    // `//` binds weaker: `.a = .b // 1` is `(.a = .b) // 1`.
    const right = or();
    if (is("operator") && ASSIGNMENTS.has(now().text)) refuse("assignments do not chain");
    return { kind: "assign", at: left.at, operator, left, right };
  };

  const or = (): Node => {
    let left = and();
    for (let links = 0; isKeyword("or"); chain(++links)) {
      advance();
      left = { kind: "or", at: left.at, left, right: and() };
    }
    return left;
  };
  const and = (): Node => {
    let left = comparison();
    for (let links = 0; isKeyword("and"); chain(++links)) {
      advance();
      left = { kind: "and", at: left.at, left, right: comparison() };
    }
    return left;
  };
  const comparison = (): Node => {
    const left = sum();
    if (!is("operator") || !COMPARISONS.has(now().text)) return left;
    const operator = advance().text as BinaryOperator;
    const result: Node = { kind: "binary", at: left.at, operator, left, right: sum() };
    if (is("operator") && COMPARISONS.has(now().text)) refuse("comparisons do not chain");
    return result;
  };
  const sum = (): Node => {
    let left = product();
    for (let links = 0; isOperator("+") || isOperator("-"); chain(++links)) {
      const operator = advance().text as BinaryOperator;
      left = { kind: "binary", at: left.at, operator, left, right: product() };
    }
    return left;
  };
  const product = (): Node => {
    let left = unary();
    for (let links = 0; isOperator("*") || isOperator("/") || isOperator("%"); chain(++links)) {
      const operator = advance().text as BinaryOperator;
      left = { kind: "binary", at: left.at, operator, left, right: unary() };
    }
    return left;
  };

  const unary = (): Node => {
    const at = now().start;
    if (isKeyword("def")) return pipe();
    if (takeKeyword("label")) {
      const name = expectVariable();
      expect("|");
      return { kind: "label", at, name, body: pipe() };
    }
    const source = signed();
    if (!takeKeyword("as")) return source;
    const patterns = parsePatterns(cursor, grammar);
    expect("|");
    return { kind: "as", at, source, patterns, body: pipe() };
  };

  /** A term with its minus signs, which bind tighter than anything but access: `-1 as $x`, `reduce -.[] as $x`. */
  const signed = (): Node => {
    const at = now().start;
    return take("-")
      ? nested((): Node => ({ kind: "negate", at, body: signed() }))
      : parsePostfix(cursor, grammar);
  };

  const define = (): Definition => {
    advance();
    if (!is("identifier") && !is("keyword")) return unexpected("a function name");
    const name = advance().text;
    const parameters: string[] = [];
    if (take("(")) {
      do {
        if (is("variable")) parameters.push(`$${advance().text}`);
        else if (is("identifier") || is("keyword")) parameters.push(advance().text);
        else return unexpected("a parameter");
      } while (take(";"));
      expect(")");
    }
    expect(":");
    const body = pipe();
    expect(";");
    return { name, parameters, body };
  };

  const grammar: Grammar = {
    pipe,
    alternative,
    signed,
    string: (format) => parseString(cursor, grammar, format),
  };
  if (is("end")) return { kind: "identity", at: 0 };
  const program = pipe();
  if (!is("end")) unexpected("the end of the program");
  return program;
}
