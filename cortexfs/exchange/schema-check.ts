import { isObject, type Json, type JsonObject } from "../../src/base/json.ts";

/**
 * Check a tool's input against the part of JSON Schema that tool descriptions use: type, enum, const, properties,
 * required, additionalProperties, items, and the size limits. Patterns are not evaluated: a schema comes from a server
 * that may be hostile, and a regular expression has no step budget. Returns the first problem, or undefined.
 */
export function schemaProblem(schema: JsonObject, value: Json, at = "$", depth = 0): string | undefined {
  if (depth > 32) return `${at}: nested too deeply`;
  const types =
    typeof schema["type"] === "string"
      ? [schema["type"]]
      : Array.isArray(schema["type"])
        ? schema["type"]
        : [];
  if (types.length > 0 && !types.some((type) => hasType(value, String(type)))) {
    return `${at}: expected ${types.join(" or ")}`;
  }
  if (Array.isArray(schema["enum"]) && !schema["enum"].some((item) => Bun.deepEquals(item, value))) {
    return `${at}: not one of the allowed values`;
  }
  if ("const" in schema && !Bun.deepEquals(schema["const"], value)) return `${at}: not the required value`;
  if (typeof value === "string") {
    if (typeof schema["minLength"] === "number" && value.length < schema["minLength"])
      return `${at}: too short`;
    if (typeof schema["maxLength"] === "number" && value.length > schema["maxLength"])
      return `${at}: too long`;
  }
  if (typeof value === "number") {
    if (typeof schema["minimum"] === "number" && value < schema["minimum"]) return `${at}: too small`;
    if (typeof schema["maximum"] === "number" && value > schema["maximum"]) return `${at}: too large`;
  }
  if (Array.isArray(value)) {
    if (typeof schema["minItems"] === "number" && value.length < schema["minItems"])
      return `${at}: too few items`;
    if (typeof schema["maxItems"] === "number" && value.length > schema["maxItems"])
      return `${at}: too many items`;
    if (isObject(schema["items"])) {
      for (const [index, item] of value.entries()) {
        const problem = schemaProblem(schema["items"] as JsonObject, item, `${at}[${index}]`, depth + 1);
        if (problem !== undefined) return problem;
      }
    }
    return undefined;
  }
  return isObject(value) ? objectProblem(schema, value as JsonObject, at, depth) : undefined;
}

function objectProblem(schema: JsonObject, value: JsonObject, at: string, depth: number): string | undefined {
  const properties = isObject(schema["properties"]) ? (schema["properties"] as JsonObject) : {};
  for (const name of Array.isArray(schema["required"]) ? schema["required"] : []) {
    if (!Object.hasOwn(value, String(name))) return `${at}: ${String(name)} is missing`;
  }
  for (const [name, member] of Object.entries(value)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : schema["additionalProperties"];
    if (property === false) return `${at}: ${name} is not known`;
    if (!isObject(property)) continue;
    const problem = schemaProblem(property as JsonObject, member, `${at}.${name}`, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function hasType(value: Json, type: string): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
