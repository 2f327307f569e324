import type { TSchema } from "@sinclair/typebox";
import { fits } from "../../base/fits.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { misfit as firstMisfit, knownBeside, type Misfit as Place } from "../../base/misfit.ts";
import { nearest } from "../nearest.ts";

/** Why a value does not fit, with the keys that lead to the place. */
export interface Misfit {
  readonly path: readonly string[];
  readonly message: string;
  readonly hint: string;
}

/** The first place where a value does not fit its schema, said in words; `undefined` when it fits. */
export function misfit(schema: TSchema, value: Json): Misfit | undefined {
  if (fits(schema, value)) return undefined;
  const first = firstMisfit(schema, value);
  if (first === undefined) return undefined;
  const { keys, reason } = first;
  return {
    path: keys,
    message: keys.length === 0 ? reason : `${keys.join(".")}: ${reason}`,
    hint: hintFor(first, schema),
  };
}

function hintFor({ keys, reason, schema, value }: Place, whole: TSchema): string {
  const { enum: values, examples } = schema as { enum?: string[]; examples?: string[] };
  if (values !== undefined) return `write one of them${nearest(String(value), values, ", probably ")}`;
  if (examples !== undefined) return `for example ${examples.join(" or ")}`;
  if (reason.startsWith("unknown field")) {
    const known = knownBeside(whole, keys);
    return known.length === 0 ? "remove it" : `known here: ${known.join(", ")}`;
  }
  return "see the types in lightflow/preload";
}

/**
 * Rename the snake_case members that a schema knows in camelCase, so that both spellings are read. Free maps, whose
 * keys belong to the author, stay as they are.
 */
export function camelKeys(schema: TSchema, value: Json): Json {
  if (Array.isArray(value)) {
    const items = schema["items"] as TSchema | undefined;
    return items === undefined ? value : value.map((item) => camelKeys(items, item));
  }
  const properties = schema["properties"] as Record<string, TSchema> | undefined;
  if (!isObject(value) || properties === undefined) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value as JsonObject)) {
    const camel = camelCase(key);
    const name = !(key in properties) && camel in properties && !(camel in value) ? camel : key;
    const inner = properties[name];
    Object.defineProperty(result, name, {
      value: inner === undefined ? member : camelKeys(inner, member),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return result;
}

/** `open_ai_chat` as `openAiChat`. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
