import { Kind } from "@sinclair/typebox";
import type { SchemaNode } from "./schema-node.ts";

/** What a text, number or word should have been; `typed` when it is not even of the right JSON type. */
export interface ScalarProblem {
  readonly expected: string;
  readonly typed: boolean;
}

const wrong = (expected: string, typed = false): ScalarProblem => ({ expected, typed });

export function scalarProblem(schema: SchemaNode, value: unknown): ScalarProblem | undefined {
  switch (schema[Kind]) {
    case "Literal":
      return value === schema.const ? undefined : wrong(JSON.stringify(schema.const));
    case "Boolean":
      return typeof value === "boolean" ? undefined : wrong("true or false", true);
    case "Integer":
      return integerProblem(schema, value);
    case "String":
      return stringProblem(schema, value);
    default:
      throw new TypeError(`the schema holds a ${schema[Kind]}, which has no explanation`);
  }
}

function integerProblem(schema: SchemaNode, value: unknown): ScalarProblem | undefined {
  if (typeof value !== "number" || !Number.isInteger(value)) return wrong("a whole number", true);
  if (schema.minimum !== undefined && value < schema.minimum) return wrong(`at least ${schema.minimum}`);
  if (schema.maximum !== undefined && value > schema.maximum) return wrong(`at most ${schema.maximum}`);
  return undefined;
}

function stringProblem(schema: SchemaNode, value: unknown): ScalarProblem | undefined {
  if (typeof value !== "string") return wrong(schema.description ?? "a string", true);
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = schema;
  if (value.length < minLength) return wrong("a text that is not empty");
  if (value.length > maxLength) return wrong(`at most ${maxLength} characters long`);
  if (pattern !== undefined && !new RegExp(pattern).test(value))
    return wrong(schema.description ?? `text that matches ${pattern}`);
  return undefined;
}

/** A value in a message: short, on one line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `the ${typeof value} ${shown(value)}`;
}
