import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { pointerTokens } from "../../base/pointer.ts";

/** A message as a subscription gives it. */
export function receivedMessage(
  payload: Json,
  headers: JsonObject,
  correlation: string | undefined,
): JsonObject {
  const message: JsonObject = { payload, headers };
  const id = correlation === undefined ? undefined : atLocation(message, correlation);
  if (id !== undefined) message["correlationId"] = id;
  return message;
}

/** `$message.header#/a/b` or `$message.payload#/a/b` (AsyncAPI, "Runtime Expression"). */
function atLocation(message: JsonObject, location: string): Json | undefined {
  const match = /^\$message\.(header|payload)#(\/.*)?$/.exec(location);
  if (match === null) return undefined;
  let value: Json | undefined = message[match[1] === "header" ? "headers" : "payload"];
  for (const key of pointerTokens(match[2] ?? "")) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = (value as JsonObject)[key];
  }
  return value;
}

/** Text as JSON where it is JSON. */
export function payloadOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
