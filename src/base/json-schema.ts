import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { isObject, type Json } from "./json.ts";

const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: true, logger: false });
addFormats.default(ajv);

const compiled = new WeakMap<object, ValidateFunction>();

/** Why a value is no JSON Schema (2020-12), or null. */
export function schemaProblem(schema: Json): string | null {
  if (typeof schema === "boolean") return null;
  if (!isObject(schema)) return "a schema is an object or a boolean";
  try {
    compile(schema);
    return null;
  } catch (error) {
    return `the schema does not compile: ${(error as Error).message}`;
  }
}

/** Ajv itself keeps every schema for ever, and takes two of the same `$id` for one. */
function compile(schema: object): ValidateFunction {
  try {
    return ajv.compile(schema);
  } finally {
    ajv.removeSchema(schema);
  }
}

/**
 * The first reason why a value does not fit a JSON Schema (2020-12), or null.
 * @throws Error when the schema does not compile
 */
export function validatesAgainst(schema: Json, value: Json): string | null {
  if (schema === true) return null;
  if (!isObject(schema)) return "the schema allows nothing";
  let check = compiled.get(schema);
  if (check === undefined) {
    check = compile(schema);
    compiled.set(schema, check);
  }
  if (check(value)) return null;
  const first = check.errors![0]!;
  const extra = first.params["additionalProperty"];
  return `${first.instancePath || "/"} ${first.message}${extra === undefined ? "" : ` (${extra})`}`;
}
