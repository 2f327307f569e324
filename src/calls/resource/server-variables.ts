import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";

/** `{name}` in an address that a document writes, from given values first and then from the defaults of the document. */
export function fillVariables(text: string, variables: Json | undefined, given: JsonObject = {}): string {
  return text.replace(/\{([^{}]+)\}/g, (_, name: string) => {
    const declared = isObject(variables) ? variables[name] : undefined;
    const rule = isObject(declared) ? declared : {};
    const value = Object.hasOwn(given, name) ? given[name] : rule["default"];
    if (value === undefined || value === null || typeof value === "object")
      throw callError("configuration", `the variable {${name}} has no value`);
    const allowed = rule["enum"];
    if (Array.isArray(allowed) && allowed.length > 0 && !allowed.includes(String(value)))
      throw callError("configuration", `the variable {${name}} has a value that the document does not list`);
    return String(value);
  });
}
