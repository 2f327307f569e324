import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";

/** More than any document that a person wrote; a circle is longer. */
const MAXIMUM_HOPS = 32;

/** The object that a value is, or that its `$ref` leads to inside the same document; undefined for anything else. */
export function dereference(root: JsonObject, value: Json | undefined): JsonObject | undefined {
  let current = value;
  for (let hops = 0; hops < MAXIMUM_HOPS; hops++) {
    if (!isObject(current)) return undefined;
    const reference = current["$ref"];
    if (typeof reference !== "string") return current as JsonObject;
    if (!reference.startsWith("#"))
      throw callError("configuration", `the document refers to another file: ${reference}`);
    current = atPointer(root, reference.slice(1));
    if (current === undefined) throw callError("configuration", `the document has nothing at ${reference}`);
  }
  throw callError("configuration", "the references of the document go in a circle");
}

function atPointer(root: JsonObject, pointer: string): Json | undefined {
  let current: Json | undefined = root;
  for (const token of decodeURIComponent(pointer).split("/").slice(1)) {
    const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as JsonObject)[key];
  }
  return current;
}

/** The objects of a list or of a map's values, references followed. */
export function objectsIn(root: JsonObject, value: Json | undefined): JsonObject[] {
  const items = Array.isArray(value) ? value : isObject(value) ? (Object.values(value) as Json[]) : [];
  return items.map((item) => dereference(root, item)).filter((item) => item !== undefined);
}
