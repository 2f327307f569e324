import type { AssignOperator, BinaryOperator, Definition, Node, Pattern } from "./ast.ts";
import { invalid } from "./invalid.ts";
import { type Token, tokenAt } from "./lexer.ts";

/** Deeper trees would not fit on the call stack of the passes that walk them. */
const MAXIMUM_NESTING = 400;
const MAXIMUM_SOURCE = 256 * 1024;

const ASSIGNMENTS = new Set(["=", "|=", "+=", "-=", "*=", "/=", "%=", "//="]);
const COMPARISONS = new Set(["==", "!=", "<", "<=", ">", ">="]);

/**
 * `target[key]?`, which forgives the access alone: an error in the target or in the key is still one, and after a
 * value that has no such member the next one follows.
 */
function optionalAccess(node: Node, at: number): Node {
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

/** jq 1.8's grammar by recursive descent. @throws expression_invalid with offset, line and column */
export function parse(source: string): Node {
  if (source.length > MAXIMUM_SOURCE) {
    throw invalid(source, 0, `the program is longer than ${MAXIMUM_SOURCE} characters`);
  }
  let token: Token = tokenAt(source, 0);
  let nesting = 0;

  const refuse = (message: string, at = token): never => {
    throw invalid(source, at.start, message);
  };
  const unexpected = (wanted: string): never =>
    refuse(
      is("end")
        ? `the program ends where ${wanted} was expected`
        : `unexpected ${JSON.stringify(source.slice(token.start, token.end))}, expected ${wanted}`,
    );
  const advance = (): Token => {
    const taken = token;
    token = tokenAt(source, token.end);
    return taken;
  };
  // Asked through a function, because a call of `advance` in between escapes the compiler's narrowing.
  const is = (kind: Token["kind"]): boolean => token.kind === kind;
  const isOperator = (text: string): boolean => token.kind === "operator" && token.text === text;
  const isKeyword = (text: string): boolean => is("keyword") && token.text === text;
  const take = (text: string): boolean => {
    if (!isOperator(text)) return false;
    advance();
    return true;
  };
  const takeKeyword = (text: string): boolean => {
    if (!isKeyword(text)) return false;
    advance();
    return true;
  };
  const expect = (text: string): void => {
    if (!take(text)) unexpected(`'${text}'`);
  };
  const expectKeyword = (text: string): void => {
    if (!takeKeyword(text)) unexpected(`'${text}'`);
  };
  const expectVariable = (): string => {
    if (!is("variable")) return unexpected("a variable");
    return advance().text;
  };
  const nested = <T>(inner: () => T): T => {
    if (++nesting > MAXIMUM_NESTING) refuse(`the program nests more than ${MAXIMUM_NESTING} levels`);
    const result = inner();
    nesting--;
    return result;
  };

  // A long chain of one operator is a long list, not a deep tree in the source: it is parsed by loops and counts
  // here by its links, because every later pass recurses over it.
  const chain = (links: number): void => {
    if (nesting + links > MAXIMUM_NESTING * 4)
      refuse(`more than ${MAXIMUM_NESTING * 4} operators in one chain`);
  };

  const pipe = (): Node =>
    nested(() => {
      const parts: Node[] = [];
      let result: Node;
      for (;;) {
        const { start: at } = token;
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
    let left = alternative();
    for (let links = 0; isOperator(","); chain(++links)) {
      advance();
      left = { kind: "comma", at: left.at, left, right: alternative() };
    }
    return left;
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
    if (token.kind !== "operator" || !ASSIGNMENTS.has(token.text)) return left;
    const operator = advance().text as AssignOperator;
    // `//` binds weaker: `.a = .b // 1` is `(.a = .b) // 1`.
    const right = or();
    if (is("operator") && ASSIGNMENTS.has(token.text)) refuse("assignments do not chain");
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
    if (token.kind !== "operator" || !COMPARISONS.has(token.text)) return left;
    const operator = advance().text as BinaryOperator;
    const result: Node = { kind: "binary", at: left.at, operator, left, right: sum() };
    if (token.kind === "operator" && COMPARISONS.has(token.text)) refuse("comparisons do not chain");
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
    const at = token.start;
    if (isKeyword("def")) return pipe();
    if (takeKeyword("label")) {
      const name = expectVariable();
      expect("|");
      return { kind: "label", at, name, body: pipe() };
    }
    const source = signed();
    if (!takeKeyword("as")) return source;
    const patterns = patternAlternatives();
    expect("|");
    return { kind: "as", at, source, patterns, body: pipe() };
  };

  /** A term with its minus signs, which bind tighter than anything but access: `-1 as $x`, `reduce -.[] as $x`. */
  const signed = (): Node => {
    const at = token.start;
    return take("-") ? nested((): Node => ({ kind: "negate", at, body: signed() })) : postfix();
  };

  const patternAlternatives = (): Pattern[] => {
    const patterns = [pattern()];
    while (take("?//")) patterns.push(pattern());
    return patterns;
  };

  const pattern = (): Pattern =>
    nested((): Pattern => {
      if (is("variable")) return { kind: "variable", name: advance().text };
      if (take("[")) {
        const items = [pattern()];
        while (take(",")) items.push(pattern());
        expect("]");
        return { kind: "array", items };
      }
      if (!take("{")) return unexpected("a pattern");
      const entries: { key: Node; bind?: string; value?: Pattern }[] = [];
      do {
        const at = token.start;
        if (is("variable")) {
          const bind = advance().text;
          const key: Node = { kind: "literal", at, value: bind };
          entries.push(take(":") ? { key, bind, value: pattern() } : { key, bind });
          continue;
        }
        let key: Node;
        if (is("identifier") || is("keyword")) {
          key = { kind: "literal", at, value: advance().text };
        } else if (is("quote")) key = string(null);
        else if (take("(")) {
          key = pipe();
          expect(")");
        } else return unexpected("a key of the pattern");
        expect(":");
        entries.push({ key, value: pattern() });
      } while (take(","));
      expect("}");
      return { kind: "object", entries };
    });

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

  const postfix = (): Node => {
    const first = token;
    let node = term();
    // Whether the last step was an access, to which a `?` belongs alone.
    let access = node.kind === "index" && first.text !== "(";
    for (let links = 0; ; chain(++links)) {
      const at = token.start;
      if (is("field")) {
        node = { kind: "index", at, target: node, key: { kind: "literal", at, value: advance().text } };
      } else if (isOperator(".")) {
        const dot = advance();
        if (is("quote")) node = { kind: "index", at, target: node, key: string(null) };
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
      const to = pipe();
      expect("]");
      return { kind: "slice", at, target, from: null, to };
    }
    const key = pipe();
    if (take(":")) {
      if (take("]")) return { kind: "slice", at, target, from: key, to: null };
      const to = pipe();
      expect("]");
      return { kind: "slice", at, target, from: key, to };
    }
    expect("]");
    return { kind: "index", at, target, key };
  };

  const term = (): Node => {
    const at = token.start;
    switch (token.kind) {
      case "number":
        return { kind: "literal", at, value: Number(advance().text) };
      case "quote":
        return string(null);
      case "format": {
        const name = advance().text;
        return is("quote") ? string(name) : { kind: "format", at, name };
      }
      case "variable": {
        const name = advance().text;
        return name === "__loc__" ? location(at) : { kind: "variable", at, name };
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

  const location = (at: number): Node => {
    const line = source.slice(0, at).split("\n").length;
    return { kind: "literal", at, value: { file: "<top-level>", line } };
  };

  const call = (at: number): Node => {
    const name = advance().text;
    if (isOperator("::")) refuse("modules are not available");
    if (name === "break" && is("variable")) return { kind: "break", at, name: advance().text };
    const list: Node[] = [];
    if (take("(")) {
      do list.push(pipe());
      while (take(";"));
      expect(")");
    }
    return { kind: "call", at, name, arguments: list };
  };

  const keyword = (at: number): Node => {
    switch (token.text) {
      case "if":
        advance();
        return conditional(at);
      case "try": {
        advance();
        const body = nested(signed);
        return { kind: "try", at, body, handler: takeKeyword("catch") ? nested(signed) : null };
      }
      case "reduce": {
        advance();
        const from = signed();
        expectKeyword("as");
        const patterns = patternAlternatives();
        expect("(");
        const init = pipe();
        expect(";");
        const update = pipe();
        expect(")");
        return { kind: "reduce", at, source: from, patterns, init, update };
      }
      case "foreach": {
        advance();
        const from = signed();
        expectKeyword("as");
        const patterns = patternAlternatives();
        expect("(");
        const init = pipe();
        expect(";");
        const update = pipe();
        const extract = take(";") ? pipe() : null;
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
    const condition = pipe();
    expectKeyword("then");
    const then = pipe();
    let otherwise: Node | null = null;
    const next = token.start;
    if (takeKeyword("elif"))
      return { kind: "if", at, condition, then, otherwise: nested(() => conditional(next)) };
    if (takeKeyword("else")) otherwise = pipe();
    expectKeyword("end");
    return { kind: "if", at, condition, then, otherwise };
  };

  const punctuation = (at: number): Node => {
    if (take(".")) {
      if (is("quote") && token.start === at + 1) {
        return { kind: "index", at, target: { kind: "identity", at }, key: string(null) };
      }
      return { kind: "identity", at };
    }
    if (take("..")) return { kind: "recurse", at };
    if (take("(")) {
      const inner = pipe();
      expect(")");
      return inner;
    }
    if (take("[")) {
      if (take("]")) return { kind: "array", at, body: null };
      const body = pipe();
      expect("]");
      return { kind: "array", at, body };
    }
    if (take("{")) return object(at);
    return unexpected("an expression");
  };

  const object = (at: number): Node => {
    const entries: { key: Node; value: Node }[] = [];
    while (!take("}")) {
      entries.push(objectEntry());
      if (!isOperator("}")) {
        expect(",");
      }
    }
    return { kind: "object", at, entries };
  };

  const objectEntry = (): { key: Node; value: Node } => {
    const at = token.start;
    const dot: Node = { kind: "identity", at };
    if (is("variable")) {
      const name = advance().text;
      const value: Node = name === "__loc__" ? location(at) : { kind: "variable", at, name };
      const key: Node = { kind: "literal", at, value: name };
      if (!isOperator(":")) return { key, value };
      advance();
      return { key: value, value: objectValue() };
    }
    let key: Node;
    if (is("identifier") || is("keyword") || is("number")) {
      if (is("number")) return refuse("an object key must be a name, a string or ( … )");
      key = { kind: "literal", at, value: advance().text };
    } else if (is("quote")) key = string(null);
    else if (is("format")) {
      const format = advance().text;
      if (!is("quote")) return unexpected("a string");
      key = string(format);
    } else if (take("(")) {
      key = pipe();
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
      const left = alternative();
      return take("|") ? { kind: "pipe", at: left.at, left, right: objectValue() } : left;
    });

  const string = (format: string | null): Node => {
    const at = token.start;
    const parts: (string | Node)[] = [];
    let text = "";
    let index = token.end;
    for (;;) {
      const code = source.charCodeAt(index);
      if (Number.isNaN(code)) return refuse("the string is not closed");
      if (code === 0x22) break;
      if (code !== 0x5c) {
        text += source[index++];
        continue;
      }
      const letter = source[index + 1];
      if (letter === "(") {
        if (text !== "") parts.push(text);
        text = "";
        token = tokenAt(source, index + 2);
        parts.push(pipe());
        if (!isOperator(")")) unexpected("')'");
        index = token.end;
        continue;
      }
      const length = letter === "u" ? 6 : 2;
      try {
        text += JSON.parse(`"${source.slice(index, index + length)}"`) as string;
      } catch {
        throw invalid(source, index, "invalid escape in a string");
      }
      index += length;
    }
    token = tokenAt(source, index + 1);
    if (text !== "") parts.push(text);
    if (parts.length === 0) return { kind: "literal", at, value: "" };
    if (parts.length === 1 && typeof parts[0] === "string")
      return { kind: "literal", at, value: parts[0].toWellFormed() };
    return { kind: "text", at, format, parts };
  };

  if (is("end")) return { kind: "identity", at: 0 };
  const program = pipe();
  if (!is("end")) unexpected("the end of the program");
  return program;
}

export type { Definition };
