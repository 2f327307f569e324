import type { Json } from "../../base/json.ts";
import { expressionBody } from "./references.ts";

/** `.name`, or `["a name"]` for what is no plain word. */
export function member(name: string): string {
  return `[${JSON.stringify(name)}]`;
}

/** A filter in brackets of its own; a comment at its end must not take them along. */
export function grouped(body: string): string {
  return body.includes("#") ? `(${body}\n)` : `(${body})`;
}

/**
 * A value with expressions as one jq expression that gives it. A text becomes a JSON string, which is a jq string too:
 * JSON has no way to write `\(` unescaped.
 */
export function jqOf(value: Json): string {
  if (typeof value === "string") {
    const body = expressionBody(value);
    // As an expression of the language: no output is null.
    return body === undefined ? JSON.stringify(value) : `([${grouped(body)}] | .[0])`;
  }
  if (Array.isArray(value)) return `[${value.map(jqOf).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${jqOf(item)}`)
    .join(", ")}}`;
}
