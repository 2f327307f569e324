import { isObject, type JsonObject } from "../../../src/base/json.ts";
import { parseStrictJson } from "../../../src/base/strict-json.ts";
import { errno } from "../../fuse/errno.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** A body as text; EINVAL unless it is UTF-8. */
export function bodyText(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch {
    throw errno("EINVAL");
  }
}

/** A body as a JSON object; EINVAL for anything else, duplicate keys included, since the body is fingerprinted. */
export function bodyObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch {
    throw errno("EINVAL");
  }
  if (!isObject(value)) throw errno("EINVAL");
  return value as JsonObject;
}
