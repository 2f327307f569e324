import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";
import { type EncodedBody, encodeBody } from "../http/body.ts";
import { mediaKind } from "../http/media-type.ts";
import { dereference } from "../resource/reference.ts";

/** Where the body of an operation comes from. */
export interface BodyRule {
  readonly contentType: string;
  readonly required: boolean;
  /** The argument that holds the body as a whole. */
  readonly name: string;
  /** Declared fields (OpenAPI 2.0 `formData`), or undefined when every argument that is left is a field. */
  readonly fields: readonly string[] | undefined;
  /** Fields whose text is base64 of a file. */
  readonly files: ReadonlySet<string>;
}

const PREFERENCE = [
  (type: string) => mediaKind(type) === "json",
  (type: string) => mediaKind(type) === "form",
  (type: string) => type.startsWith("multipart/form-data"),
  (type: string) => mediaKind(type) === "text",
];

function preferred(types: readonly string[]): string | undefined {
  for (const isWanted of PREFERENCE) {
    const found = types.find(isWanted);
    if (found !== undefined) return found;
  }
  // A range such as `*/*` says that JSON will do.
  return types[0]?.includes("*") ? "application/json" : types[0];
}

export function bodyRule(
  root: JsonObject,
  operation: JsonObject,
  parameters: readonly JsonObject[],
  isV2: boolean,
): BodyRule | undefined {
  return isV2 ? swaggerBody(root, operation, parameters) : openApiBody(root, operation);
}

function openApiBody(root: JsonObject, operation: JsonObject): BodyRule | undefined {
  const body = dereference(root, operation["requestBody"]);
  if (body === undefined) return undefined;
  const content = isObject(body["content"]) ? (body["content"] as JsonObject) : {};
  const contentType = preferred(Object.keys(content)) ?? "application/json";
  const schema = dereference(root, dereference(root, content[contentType])?.["schema"]);
  const properties = isObject(schema?.["properties"]) ? schema["properties"] : {};
  const files = Object.entries(properties).filter(([, property]) => {
    const rule = dereference(root, property as Json);
    return rule?.["format"] === "binary" || rule?.["contentMediaType"] === "application/octet-stream";
  });
  const name = body["x-bodyName"] ?? operation["x-bodyName"];
  return {
    contentType,
    required: body["required"] === true,
    name: typeof name === "string" ? name : "body",
    fields: undefined,
    files: new Set(files.map(([field]) => field)),
  };
}

function swaggerBody(
  root: JsonObject,
  operation: JsonObject,
  parameters: readonly JsonObject[],
): BodyRule | undefined {
  const listed = operation["consumes"] ?? root["consumes"];
  const types = Array.isArray(listed) ? listed.filter((type) => typeof type === "string") : [];
  const body = parameters.find((parameter) => parameter["in"] === "body");
  if (body !== undefined)
    return {
      contentType: preferred(types) ?? "application/json",
      required: body["required"] === true,
      name: typeof body["name"] === "string" ? body["name"] : "body",
      fields: undefined,
      files: new Set(),
    };
  const fields = parameters.filter((parameter) => parameter["in"] === "formData");
  if (fields.length === 0) return undefined;
  const files = fields.filter((field) => field["type"] === "file").map((field) => String(field["name"]));
  const isMultipart = files.length > 0 || types.every((type) => type.startsWith("multipart/"));
  return {
    contentType:
      isMultipart && types.length + files.length > 0
        ? "multipart/form-data"
        : "application/x-www-form-urlencoded",
    required: fields.some((field) => field["required"] === true),
    name: "body",
    fields: fields.map((field) => String(field["name"])),
    files: new Set(files),
  };
}

/**
 * Take the body out of the arguments that no parameter has used: the one that is named for it, or else all that are
 * left, as the fields of an object.
 */
export async function takeBody(
  rule: BodyRule | undefined,
  left: Map<string, Json>,
): Promise<EncodedBody | undefined> {
  if (rule === undefined) return undefined;
  let value: Json | undefined;
  if (rule.fields === undefined && left.has(rule.name)) {
    value = left.get(rule.name);
    left.delete(rule.name);
  } else {
    const fields = rule.fields ?? [...left.keys()];
    const taken = fields.filter((name) => left.has(name)).map((name) => [name, left.get(name)!] as const);
    for (const [name] of taken) left.delete(name);
    if (taken.length > 0) value = Object.fromEntries(taken);
  }
  if (value === undefined || value === null) {
    if (rule.required) throw callError("validation", "the operation needs a body");
    return undefined;
  }
  if (rule.contentType.startsWith("multipart/")) return await multipart(value, rule);
  return encodeBody(value, rule.contentType);
}

async function multipart(value: Json, rule: BodyRule): Promise<EncodedBody> {
  if (!isObject(value)) throw callError("configuration", "the body of a multipart form must be an object");
  const form = new FormData();
  for (const [name, item] of Object.entries(value as JsonObject))
    for (const part of Array.isArray(item) ? item : [item]) {
      if (part === null) continue;
      if (rule.files.has(name) && typeof part === "string") {
        const file = encodeBody(part, "application/octet-stream")!;
        form.append(name, new Blob([file.bytes as Uint8Array<ArrayBuffer>]), name);
      } else form.append(name, typeof part === "object" ? JSON.stringify(part) : String(part));
    }
  const response = new Response(form);
  const contentType = response.headers.get("content-type") ?? rule.contentType;
  return { bytes: new Uint8Array(await response.arrayBuffer()), contentType };
}
