import type { Json, JsonObject } from "../base/json.ts";
import { validatesAgainst as validates } from "../base/json-schema.ts";
import type { Definition } from "./definition.ts";
import { fault } from "./errors.ts";

export { schemaProblem } from "../base/json-schema.ts";

/** The first reason why a value does not fit a JSON Schema (2020-12), or null. @throws TaskFault of kind configuration */
export function validatesAgainst(schema: Json, value: Json): string | null {
  try {
    return validates(schema, value);
  } catch (error) {
    throw fault("configuration", `the schema does not compile: ${(error as Error).message}`);
  }
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
