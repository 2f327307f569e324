import { Failure } from "../../base/errors.ts";
import { isObject, type Json } from "../../base/json.ts";
// The tree itself: what an expression reads decides what a step waits for.
import type { Node, Pattern } from "../../expression/syntax/ast.ts";
import { parse } from "../../expression/syntax/parser.ts";

/** A path below `.inputs` or `.steps`, as far as its keys are fixed: `["draft", "output", "text"]`. */
export type Reference = readonly string[];

/** What expressions read of their scope. */
export interface References {
  readonly inputs: Reference[];
  readonly steps: Reference[];
  /** All inputs (`.inputs` by itself, or by a computed key). */
  allInputs: boolean;
  /** Steps that no static key names: whatever stands before is needed. */
  allSteps: boolean;
}

export const noReferences = (): References => ({ inputs: [], steps: [], allInputs: false, allSteps: false });

const EXPRESSION = /^\s*\$\{([\s\S]*)\}\s*$/;

/** The jq text of a whole `${ … }`. */
export function expressionBody(text: string): string | undefined {
  return EXPRESSION.exec(text)?.[1]?.trim();
}

/** Every `${ … }` in a value, with the keys that lead to it. */
export function expressionsIn(value: unknown): { path: string[]; body: string }[] {
  const found: { path: string[]; body: string }[] = [];
  const path: string[] = [];
  const visit = (part: unknown): void => {
    if (typeof part === "string") {
      if (!part.includes("${")) return;
      const body = expressionBody(part);
      if (body !== undefined) found.push({ path: [...path], body });
    } else if (typeof part === "object" && part !== null) {
      for (const key in part) {
        path.push(key);
        visit((part as Record<string, unknown>)[key]);
        path.pop();
      }
    }
  };
  visit(value);
  return found;
}

/** What all expressions of a value read. One that does not parse reads nothing: the document's check reports it. */
export function referencesOf(value: Json | undefined, into: References = noReferences()): References {
  for (const { body } of expressionsIn(value)) {
    const tree = treeOf(body);
    if (tree !== undefined) new Reader(into).visit(tree, true);
  }
  return into;
}

const trees = new Map<string, Node | null>();

/** The parsed expression, kept: checks and lowering ask again for the same texts. */
export function treeOf(body: string): Node | undefined {
  let tree = trees.get(body);
  if (tree === undefined) {
    try {
      tree = parse(body);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      tree = null;
    }
    if (trees.size >= 4096) trees.clear();
    trees.set(body, tree);
  }
  return tree ?? undefined;
}

/** The static path from `.`, if the node is one: `.steps.a["b"]` is `["steps", "a", "b"]`. */
export function pathOf(node: Node): string[] | undefined {
  if (node.kind === "identity") return [];
  if (node.kind !== "index") return undefined;
  const key = literalKey(node.key);
  const before = key === undefined ? undefined : pathOf(node.target);
  return before === undefined ? undefined : [...before, key!];
}

function literalKey(node: Node): string | undefined {
  if (node.kind === "literal" && typeof node.value === "string") return node.value;
  return node.kind === "text" && node.format === null && node.parts.every((part) => typeof part === "string")
    ? node.parts.join("")
    : undefined;
}

/** Walks a tree and keeps track of whether `.` is still the scope. */
class Reader {
  constructor(readonly found: References) {}

  visit(node: Node, scoped: boolean): void {
    switch (node.kind) {
      case "identity":
      case "recurse":
        if (scoped) this.#all();
        return;
      case "index":
      case "iterate":
      case "slice":
        this.#access(node, scoped);
        return;
      case "pipe":
        // A path on the left makes another value of `.`; `.` itself does not.
        if (node.left.kind === "identity") this.visit(node.right, scoped);
        else {
          this.visit(node.left, scoped);
          this.visit(node.right, false);
        }
        return;
      case "as":
        this.visit(node.source, scoped);
        for (const pattern of node.patterns) this.#pattern(pattern, scoped);
        this.visit(node.body, scoped);
        return;
      case "reduce":
      case "foreach":
        this.visit(node.source, scoped);
        this.visit(node.init, scoped);
        // Inside, `.` is what is gathered.
        this.visit(node.update, false);
        if (node.kind === "foreach" && node.extract !== null) this.visit(node.extract, false);
        return;
      case "define":
        // A function is called on another value as often as not.
        this.visit(node.definition.body, scoped);
        this.visit(node.body, scoped);
        return;
      case "call":
        if (scoped && (node.arguments.length === 0 ? !CONSTANTS.has(node.name) : ON_INPUT.has(node.name)))
          this.#all();
        for (const argument of node.arguments) this.visit(argument, scoped);
        return;
      case "format":
        if (scoped) this.#all();
        return;
      case "try":
        this.visit(node.body, scoped);
        if (node.handler !== null) this.visit(node.handler, false);
        return;
      default:
        for (const child of childrenOf(node)) this.visit(child, scoped);
    }
  }

  #pattern(pattern: Pattern, scoped: boolean): void {
    if (pattern.kind === "array") for (const item of pattern.items) this.#pattern(item, scoped);
    if (pattern.kind !== "object") return;
    for (const { key, value } of pattern.entries) {
      this.visit(key, scoped);
      if (value !== undefined) this.#pattern(value, scoped);
    }
  }

  /** A path: as much of it as is fixed, and whatever its computed parts read. */
  #access(node: Extract<Node, { kind: "index" | "iterate" | "slice" }>, scoped: boolean): void {
    const keys: (string | undefined)[] = [];
    let at: Node = node;
    while (at.kind === "index" || at.kind === "iterate" || at.kind === "slice") {
      if (at.kind === "index") {
        const key = literalKey(at.key);
        keys.unshift(key);
        if (key === undefined) this.visit(at.key, scoped);
      } else {
        keys.unshift(undefined);
        if (at.kind === "slice") {
          if (at.from !== null) this.visit(at.from, scoped);
          if (at.to !== null) this.visit(at.to, scoped);
        }
      }
      at = at.target;
    }
    if (at.kind !== "identity") {
      this.visit(at, scoped);
      return;
    }
    if (!scoped) return;
    const fixed = keys.indexOf(undefined);
    const path = (fixed === -1 ? keys : keys.slice(0, fixed)) as string[];
    const [section, ...rest] = path;
    if (section === undefined) this.#all();
    else if (section === "inputs") {
      if (rest.length === 0) this.found.allInputs = true;
      else this.found.inputs.push(rest);
    } else if (section === "steps") {
      if (rest.length === 0) this.found.allSteps = true;
      else this.found.steps.push(rest);
    }
  }

  #all(): void {
    this.found.allInputs = true;
    this.found.allSteps = true;
  }
}

/** Functions that do not look at `.`. */
const CONSTANTS = new Set(["empty", "null", "true", "false", "now", "infinite", "nan", "error"]);
/** Functions with arguments that take `.` itself apart; of others the arguments alone read it. */
const ON_INPUT = new Set(
  "getpath has del delpaths setpath with_entries map map_values paths path pick walk to_entries contains inside".split(
    " ",
  ),
);

function* childrenOf(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    if (isNode(value)) yield value;
    else if (Array.isArray(value)) {
      for (const item of value as unknown[]) {
        if (isNode(item)) yield item;
        else if (isObject(item)) for (const inner of Object.values(item)) if (isNode(inner)) yield inner;
      }
    }
  }
}

const isNode = (value: unknown): value is Node =>
  isObject(value) && typeof (value as { kind?: unknown }).kind === "string" && "at" in (value as object);
