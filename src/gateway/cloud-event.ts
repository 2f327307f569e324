import { fail } from "../base/errors.ts";
import { readBody, readJson } from "../base/http.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { parseStrictJson } from "../base/strict-json.ts";

const NEEDED = ["specversion", "id", "source", "type"];
/** CloudEvents 1.0, 3.1: names of attributes. */
const ATTRIBUTE = /^[a-z0-9]{1,20}$/;
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\b/i;

/**
 * The event of a request, by the HTTP protocol binding of CloudEvents 1.0: structured (`application/cloudevents+json`) or binary
 * (`ce-` headers, the body is the data). Plain JSON is an event whose id, source and time may be missing.
 * @throws Failure `invalid_request`, `unsupported_media_type`, `payload_too_large`, `invalid_json`
 */
export async function readCloudEvent(request: Request): Promise<JsonObject> {
  const type = request.headers.get("content-type") ?? "";
  if (/^application\/cloudevents-batch\b/i.test(type))
    throw fail("unsupported_media_type", "events are sent one by one, not in batches");
  const structured = /^application\/cloudevents\+json\b/i.test(type);
  if (!structured && request.headers.has("ce-specversion")) return await binary(request, type);
  const event = await readJson(request, LIMITS.gatewayBodyBytes);
  if (!isObject(event)) throw fail("invalid_request", "an event is a JSON object");
  const object = event as JsonObject;
  if (structured) checkNeeded(object);
  return object;
}

async function binary(request: Request, type: string): Promise<JsonObject> {
  const event: JsonObject = {};
  for (const [header, value] of request.headers) {
    if (!header.startsWith("ce-")) continue;
    const name = header.slice(3);
    if (!ATTRIBUTE.test(name) || name === "data")
      throw fail("invalid_request", `the header ${header} names no attribute of an event`);
    event[name] = decodeValue(header, value);
  }
  checkNeeded(event);
  const bytes = await readBody(request, LIMITS.gatewayBodyBytes);
  if (type !== "") event["datacontenttype"] = type;
  if (bytes.length === 0) return event;
  const data = dataOf(bytes, type);
  if (data === undefined) event["data_base64"] = Buffer.from(bytes).toString("base64");
  else event["data"] = data;
  return event;
}

/** What is text stays text, JSON is read; undefined for bytes. */
function dataOf(bytes: Uint8Array, type: string): Json | undefined {
  const isJson = type === "" || JSON_TYPE.test(type);
  if (!isJson && !/^text\//i.test(type)) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    if (isJson) throw fail("invalid_json", "the body is not valid UTF-8");
    return undefined;
  }
  return isJson ? parseStrictJson(text) : text;
}

/** HTTP binding, 3.1.3.2: values are percent-encoded, and may stand in quotes. */
function decodeValue(header: string, value: string): string {
  const plain = /^"(.*)"$/s.exec(value)?.[1]?.replaceAll(/\\(.)/g, "$1") ?? value;
  try {
    return decodeURIComponent(plain);
  } catch {
    throw fail("invalid_request", `the header ${header} is not percent-encoded UTF-8`);
  }
}

function checkNeeded(event: JsonObject): void {
  const missing = NEEDED.filter((name) => typeof event[name] !== "string" || event[name] === "");
  if (missing.length > 0) throw fail("invalid_request", `/${missing[0]}: an event needs it`);
}
