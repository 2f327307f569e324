import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { CallScope, ResourceEndpoint } from "../call.ts";
import { CallError, callError } from "../error.ts";
import { readEndpoint } from "../http/arguments.ts";

/** A description that a call reads first, and where it stands, if that is an address. */
export interface ReadDocument {
  readonly root: JsonObject;
  readonly url: URL | undefined;
}

/** The text behind an external resource of the DSL. @throws CallError `configuration` when it cannot be had */
export async function readText(
  resource: Json | undefined,
  what: string,
  scope: CallScope,
): Promise<{ readonly text: string; readonly uri: string }> {
  const endpoint = readEndpoint(
    isObject(resource) ? (resource["endpoint"] as Json) : undefined,
    `${what}.endpoint`,
  );
  const asked: ResourceEndpoint =
    endpoint.authentication === undefined
      ? endpoint.uri
      : { uri: endpoint.uri, authentication: endpoint.authentication };
  let bytes: Uint8Array;
  try {
    bytes = await scope.readResource(asked);
  } catch (error) {
    if (error instanceof CallError) throw error;
    throw callError("configuration", `the ${what} could not be read`);
  }
  if (bytes.length > LIMITS.callDocumentBytes)
    throw callError("configuration", `the ${what} is over ${LIMITS.callDocumentBytes} bytes`);
  return { text: new TextDecoder().decode(bytes), uri: endpoint.uri };
}

/** The same as an object: JSON, or YAML with few aliases and no duplicate keys. */
export async function readDocument(
  resource: Json | undefined,
  what: string,
  scope: CallScope,
): Promise<ReadDocument> {
  const { text, uri } = await readText(resource, what, scope);
  let root: unknown;
  try {
    root = /^\s*\{/.test(text)
      ? JSON.parse(text)
      : (await import("yaml")).parse(text, { maxAliasCount: 100, logLevel: "error" });
  } catch {
    throw callError("configuration", `the ${what} is neither JSON nor YAML`);
  }
  if (!isObject(root)) throw callError("configuration", `the ${what} is not an object`);
  return { root: root as JsonObject, url: URL.parse(uri) ?? undefined };
}
