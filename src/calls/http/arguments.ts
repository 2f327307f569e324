import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";
import { expandUriTemplate } from "./uri-template.ts";

/** Set by the connection itself: a document that chose them could speak to another host or split a request in two. */
const RESERVED_HEADERS = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
  "expect",
  "keep-alive",
]);

/** A map of headers as a document gives it: texts, and what has one plain text. `null` leaves a header out. */
export function headersFrom(value: Json | undefined): Headers {
  const headers = new Headers();
  for (const [name, item] of entriesOf(value, "headers"))
    for (const text of textsOf(item, `headers.${name}`)) addHeader(headers, name, text);
  return headers;
}

/** The value stays out of the message: it may be a credential. */
export function addHeader(headers: Headers, name: string, text: string): void {
  if (RESERVED_HEADERS.has(name.toLowerCase()))
    throw callError("configuration", `the header ${name} is not for a document to set`);
  try {
    headers.append(name, text);
  } catch {
    throw callError("configuration", `${JSON.stringify(name)} is not a header, or its value has a line end`);
  }
}

/** Add a map of query parameters to an address; a list repeats its name, `null` leaves it out. */
export function addQuery(url: URL, value: Json | undefined): void {
  for (const [name, item] of entriesOf(value, "query"))
    for (const text of textsOf(item, `query.${name}`)) url.searchParams.append(name, text);
}

function entriesOf(value: Json | undefined, what: string): [string, Json][] {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) throw callError("configuration", `\`${what}\` must be an object`);
  return Object.entries(value);
}

function textsOf(value: Json, what: string): string[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => textsOf(item, what));
  if (typeof value === "object") throw callError("configuration", `\`${what}\` must be a text`);
  return [String(value)];
}

export interface ReadEndpoint {
  readonly uri: string;
  readonly authentication?: JsonObject;
}

/** An endpoint of the DSL: the address alone, or with a policy beside it. */
export function readEndpoint(value: Json | undefined, what = "endpoint"): ReadEndpoint {
  if (typeof value === "string") return { uri: value };
  if (isObject(value) && typeof value["uri"] === "string") {
    const authentication = value["authentication"];
    return {
      uri: value["uri"],
      ...(isObject(authentication) ? { authentication: authentication as JsonObject } : {}),
    };
  }
  throw callError("configuration", `\`${what}\` must be an address or an object with \`uri\``);
}

const DOTS = /\/(?:\.|%2e){1,2}(?:[/\\?#]|$)/i;

/** Expand and parse an address. The text itself stays out of messages: it may hold a credential. */
export function addressOf(uri: string, variables: Json | undefined): URL {
  const text = expandUriTemplate(uri, isObject(variables) ? (variables as JsonObject) : {});
  // A value must not climb out of the path that the document wrote: `..` is resolved by every URL parser.
  if (DOTS.test(text) && !DOTS.test(uri))
    throw callError("configuration", "a value for the address is `.` or `..`");
  const url = URL.parse(text);
  if (url === null || !/^[a-z][a-z0-9+.-]*:$/.test(url.protocol) || url.host === "")
    throw callError("configuration", "the endpoint is not an absolute address");
  return url;
}

/** An argument that must be a text. */
export function textArgument(args: JsonObject, name: string): string {
  const value = args[name];
  if (typeof value !== "string" || value === "")
    throw callError("configuration", `\`${name}\` must be a text that is not empty`);
  return value;
}
