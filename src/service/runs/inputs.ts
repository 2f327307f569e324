import type { WorkflowDef } from "../../assets/index.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { parseStrictJson } from "../../base/strict-json.ts";

/**
 * The inputs that a caller gave, laid over each other: those of a preset, then the object, then single values. A single
 * value is a text, read as its port wants it: `--set steps=30` is a number for a number port and a text for a text port.
 */
export function layInputs(
  definition: WorkflowDef,
  given: {
    preset?: JsonObject | undefined;
    inputs?: Json | undefined;
    set?: Record<string, string> | undefined;
  },
): Json {
  const { preset, inputs, set = {} } = given;
  if (preset === undefined && Object.keys(set).length === 0) return inputs ?? {};
  if (inputs !== undefined && inputs !== null && !isObject(inputs)) {
    throw fail("invalid_request", "the inputs are not a JSON object, so no single value can be set in them");
  }
  const laid: JsonObject = { ...preset, ...(inputs as JsonObject | null | undefined) };
  for (const [name, text] of Object.entries(set)) {
    Object.defineProperty(laid, name, {
      value: readValue(definition, name, text),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return laid;
}

function readValue(definition: WorkflowDef, name: string, text: string): Json {
  const port = definition.inputs?.[name];
  if (port === undefined || port.list === true)
    return jsonOr(text, port === undefined ? text : undefined, name);
  switch (port.type) {
    case "integer":
    case "number":
      return /^[+-]?(?:\d|\.\d)/.test(text.trim()) ? Number(text) : text;
    case "boolean":
      return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : text;
    case "json":
      return jsonOr(text, undefined, name);
    default:
      return text;
  }
}

function jsonOr(text: string, instead: string | undefined, name: string): Json {
  try {
    return parseStrictJson(text);
  } catch (error) {
    if (instead !== undefined) return instead;
    throw fail("invalid_json", `the value of ${name} is not valid JSON: ${toFailure(error).message}`);
  }
}
