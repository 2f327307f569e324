import type { Argument, Expression, ObjectProperty, PropertyKey } from "@oxc-project/types";
import type { Json, JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { SourceProblem } from "./diagnostics.ts";

/** Values that names of the file stand for: `const` initialisers, looked at only when a name is used. */
export type Constants = ReadonlyMap<string, Expression>;

/** Any expression of the syntax tree, or what may stand in a call's brackets. */
export type Node = Expression | Argument;

/** Peel what TypeScript and brackets put around a value: `(x as const satisfies T)!`. */
export function unwrap(node: Node): Node {
  for (let inner: Node = node; ; ) {
    switch (inner.type) {
      case "ParenthesizedExpression":
      case "TSAsExpression":
      case "TSSatisfiesExpression":
      case "TSNonNullExpression":
      case "TSTypeAssertion":
        inner = inner.expression;
        break;
      default:
        return inner;
    }
  }
}

const HINT = "write a literal, an array or object of literals, or the name of a const with such a value";

const refuse = (node: { start: number }, what: string, hint = HINT): never => {
  throw new SourceProblem("value_not_static", what, hint, node.start);
};

/**
 * The JSON value of an expression, read from the syntax tree and never run: literals, template literals without a
 * substitution, `String.raw`, arrays, objects, negative numbers, names of this file's constants and their members
 * (`META.id`). Anything else is a {@link SourceProblem} with its place.
 */
export function staticValue(node: Node, constants: Constants, budget = new ValueBudget()): Json {
  return new Reader(constants, budget).value(node, 0);
}

/**
 * How much the values of one definition may come to: names that stand for names grow exponentially, and what does
 * not fit into a document is of no use.
 */
export class ValueBudget {
  #left: number = LIMITS.documentBytes;

  spend(amount: number, node: { start: number }): void {
    this.#left -= amount;
    if (this.#left < 0) {
      refuse(
        node,
        `the values of define() come to more than ${LIMITS.documentBytes} bytes`,
        "keep data out of assets: reference it as an input or an artifact",
      );
    }
  }
}

/** Nodes whose text is about as long as their value. */
const SIZED = new Set(["Literal", "TemplateLiteral", "TaggedTemplateExpression"]);

class Reader {
  readonly #open = new Set<string>();
  constructor(
    readonly constants: Constants,
    readonly budget: ValueBudget,
  ) {}

  value(wrapped: Node, depth: number): Json {
    const node = unwrap(wrapped);
    if (depth > LIMITS.documentDepth) {
      return refuse(node, `a value has more than ${LIMITS.documentDepth} levels`, "flatten the value");
    }
    this.budget.spend(
      node.type === "Identifier" ? 1 : SIZED.has(node.type) ? node.end - node.start : 2,
      node,
    );
    switch (node.type) {
      case "Literal":
        return this.#literal(node);
      case "TemplateLiteral": {
        if (node.expressions.length > 0) {
          return refuse(
            node.expressions[0]!,
            "a template literal with a substitution has no fixed value",
            'put values in by an expression of the workflow: "${ .inputs.name }" in plain quotes',
          );
        }
        return node.quasis[0]!.value.cooked ?? refuse(node, "a template literal has an invalid escape");
      }
      case "TaggedTemplateExpression": {
        const tag = unwrap(node.tag);
        const raw =
          tag.type === "MemberExpression" &&
          !tag.computed &&
          tag.object.type === "Identifier" &&
          tag.object.name === "String" &&
          tag.property.type === "Identifier" &&
          tag.property.name === "raw";
        if (!raw || node.quasi.expressions.length > 0)
          return refuse(node, "a tagged template has no fixed value");
        return node.quasi.quasis[0]!.value.raw;
      }
      case "UnaryExpression": {
        const value = this.value(node.argument, depth + 1);
        if (node.operator !== "-" || typeof value !== "number") {
          return refuse(node, `the operator ${node.operator} is not read`);
        }
        return value === 0 ? 0 : -value;
      }
      case "BinaryExpression":
      case "LogicalExpression":
        return refuse(node, `the operator ${node.operator} is not read`);
      case "ArrayExpression":
        return node.elements.map((element) => {
          if (element === null) return refuse(node, "an array has a hole");
          if (element.type === "SpreadElement") return refuse(element, "a spread is not read");
          return this.value(element, depth + 1);
        });
      case "ObjectExpression":
        return this.#object(node.properties, depth);
      case "Identifier":
        return this.#name(node, depth);
      case "MemberExpression":
        return this.value(this.#memberOf(node, depth), depth + 1);
      default:
        return refuse(node, `${describe(node.type)} is not read, because assets are never run`);
    }
  }

  #literal(node: Extract<Expression, { type: "Literal" }>): Json {
    if ("bigint" in node) return refuse(node, "a big integer is not JSON", "write a number or a string");
    if ("regex" in node)
      return refuse(node, "a pattern literal is not JSON", "write the pattern as a string");
    const value = node.value as string | number | boolean | null;
    if (typeof value === "number" && !Number.isFinite(value)) {
      return refuse(node, "a number is out of range");
    }
    if (typeof value === "string" && !value.isWellFormed())
      return refuse(node, "a string holds a lone surrogate");
    return value;
  }

  #object(
    properties: readonly (ObjectProperty | { type: "SpreadElement"; start: number })[],
    depth: number,
  ): JsonObject {
    const result: JsonObject = {};
    for (const property of properties) {
      if (property.type === "SpreadElement") {
        refuse(property, "a spread is not read", "write the members out");
        continue;
      }
      const name = propertyName(property);
      if (Object.hasOwn(result, name))
        refuse(property, `the key ${JSON.stringify(name)} stands twice`, "remove one");
      const value = this.value(property.value, depth + 1);
      // `__proto__` as an assigned key would set the prototype.
      Object.defineProperty(result, name, { value, enumerable: true, writable: true, configurable: true });
    }
    return result;
  }

  #name(node: { name: string; start: number }, depth: number): Json {
    const initial = this.constants.get(node.name);
    if (initial === undefined) {
      return refuse(
        node,
        node.name === "undefined" ? "undefined is not JSON" : `${node.name} is not a const of this file`,
        node.name === "undefined" ? "leave the member out, or write null" : HINT,
      );
    }
    if (this.#open.has(node.name)) return refuse(node, `${node.name} refers to itself`);
    this.#open.add(node.name);
    try {
      return this.value(initial, depth + 1);
    } finally {
      this.#open.delete(node.name);
    }
  }

  /**
   * The expression that a name or a member stands for. Only the member is looked at: what stands beside it (such as
   * an enum member in META) does not matter.
   */
  #target(wrapped: Node, depth: number): Node {
    const node = unwrap(wrapped);
    if (depth > LIMITS.documentDepth) return refuse(node, "a name refers to itself");
    if (node.type === "Identifier") {
      const initial = this.constants.get(node.name);
      if (initial === undefined) return refuse(node, `${node.name} is not a const of this file`);
      return this.#target(initial, depth + 1);
    }
    return node.type === "MemberExpression" ? this.#target(this.#memberOf(node, depth), depth + 1) : node;
  }

  #memberOf(node: Extract<Expression, { type: "MemberExpression" }>, depth: number): Node {
    if (node.optional) return refuse(node, "an optional member has no fixed value");
    let key: string;
    if (!node.computed && node.property.type === "Identifier") key = node.property.name;
    else if (node.computed && node.property.type === "Literal" && typeof node.property.value === "string") {
      key = node.property.value;
    } else return refuse(node, "a computed member has no fixed value");
    const object = this.#target(node.object, depth + 1);
    for (const property of object.type === "ObjectExpression" ? object.properties : []) {
      if (property.type === "Property" && propertyName(property) === key) return property.value;
    }
    return refuse(node, `there is no member ${JSON.stringify(key)} here`);
  }
}

/** The name of an object's plain member; accessors, methods and computed keys are refused. */
export function propertyName(property: ObjectProperty): string {
  if (property.kind !== "init") refuse(property, "a getter or setter is not read", "write a plain member");
  if (property.method) refuse(property, "a method is not read", "write a plain member");
  if (property.computed) refuse(property.key, "a computed key is not read", "write the key itself");
  const name = keyName(property.key);
  if (name === undefined) return refuse(property.key, "a key must be a name or a string");
  return name;
}

function keyName(key: PropertyKey): string | undefined {
  if (key.type === "Identifier") return key.name;
  if (key.type === "Literal" && typeof key.value === "string") return key.value;
  return undefined;
}

/** `CallExpression` as "a call". */
function describe(type: string): string {
  const words = type
    .replace(/Expression$/, "")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  return `${/^[aeiou]/.test(words) ? "an" : "a"} ${words}`;
}

/**
 * Where in the text a part of a value stands, for a problem found in it later: the deepest expression that
 * `path` (keys and indexes) reaches without leaving literals.
 */
export function offsetOf(node: Node, path: readonly string[], constants: Constants): number {
  let at = node.start;
  let current: Node | undefined = node;
  for (const key of ["", ...path]) {
    if (key !== "") {
      if (current.type === "ObjectExpression") {
        const found: ObjectProperty | undefined = current.properties.find(
          (property): property is ObjectProperty =>
            property.type === "Property" && !property.computed && keyName(property.key) === key,
        );
        if (found === undefined) return at;
        at = found.start;
        current = found.value;
      } else if (current.type === "ArrayExpression") {
        const element: Node | null | undefined = current.elements[Number(key)];
        if (element === null || element === undefined) return at;
        at = element.start;
        current = element;
      } else return at;
    }
    current = unwrap(current);
    if (current.type === "Identifier") {
      const initial = constants.get(current.name);
      if (initial === undefined) return at;
      current = unwrap(initial);
    }
  }
  return at;
}
