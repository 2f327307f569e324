import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import type { Definition } from "./definition.ts";
import { fault } from "./errors.ts";

const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: true, logger: false });
addFormats.default(ajv);

const compiled = new WeakMap<object, ValidateFunction>();

function compile(schema: object): ValidateFunction {
  try {
    return ajv.compile(schema);
  } catch (error) {
    throw fault("configuration", `the schema does not compile: ${(error as Error).message}`);
  }
}

/** Why a value is no JSON Schema (2020-12), or null. */
export function schemaProblem(schema: Json): string | null {
  if (typeof schema === "boolean") return null;
  if (!isObject(schema)) return "a schema is an object or a boolean";
  try {
    compile(schema);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The first reason why a value does not fit a JSON Schema (2020-12), or null. */
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

/**
 * Check a value against the DSL schema at a pointer: `{ format?, document }`.
 * @throws TaskFault of kind validation
 */
export function checkSchema(definition: Definition, pointer: string, value: Json): void {
  const schema = definition.at(pointer) as JsonObject;
  const document = schema["document"];
  if (document === undefined) throw fault("configuration", `${pointer}: the schema was not fetched`);
  const problem = validatesAgainst(document, value);
  if (problem !== null) throw fault("validation", problem);
}
