import type { Json, JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";
import { charsetOf, mediaKind } from "./media-type.ts";
import type { HttpAnswer } from "./send.ts";

export type HttpOutput = "raw" | "content" | "response";

export function outputKind(value: Json | undefined): HttpOutput {
  if (value === undefined || value === null) return "content";
  if (value === "raw" || value === "content" || value === "response") return value;
  throw callError("configuration", "`output` must be raw, content or response");
}

/** An answer in the form that the task asked for (DSL reference, "HTTP Response"). */
export function httpOutput(answer: HttpAnswer, kind: HttpOutput): Json {
  if (kind === "raw") return Buffer.from(answer.body).toString("base64");
  const content = decodeContent(answer.body, answer.headers.get("content-type"), answer.from);
  if (kind === "content") return content;
  return {
    request: {
      method: answer.request.method,
      uri: answer.request.url,
      headers: shownHeaders(answer.request.headers),
    },
    statusCode: answer.status,
    headers: textMap(answer.headers),
    content,
  };
}

/** The one header that comes several times without being a list is joined like the others. */
function textMap(headers: Headers): JsonObject {
  const cookies = headers.getSetCookie();
  return {
    ...Object.fromEntries(headers),
    ...(cookies.length > 0 ? { "set-cookie": cookies.join(", ") } : {}),
  };
}

const CREDENTIALS = /^(?:authorization|proxy-authorization|cookie)$/;

/** The output is stored and shown, so what the document itself sent as a credential is not repeated in it. */
function shownHeaders(headers: Headers): JsonObject {
  return Object.fromEntries(
    [...headers].map(([name, value]) => [name, CREDENTIALS.test(name) ? "***" : value]),
  );
}

/** What nearly all answers are in. */
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** @throws RangeError for a charset that nobody knows */
const decoderOf = (charset: string): TextDecoder =>
  charset.toLowerCase() === "utf-8" ? UTF8 : new TextDecoder(charset as "utf-8", { fatal: true });

/** Bytes as JSON by their media type: JSON parsed, forms as objects, text as text, anything else as base64 text. */
export function decodeContent(body: Uint8Array, contentType: string | null, from: string): Json {
  if (body.length === 0) return null;
  const kind = contentType === null ? "unknown" : mediaKind(contentType);
  if (kind === "binary") return Buffer.from(body).toString("base64");
  let text: string;
  try {
    text = decoderOf(charsetOf(contentType ?? "")).decode(body);
  } catch {
    if (kind === "unknown") return Buffer.from(body).toString("base64");
    throw callError("communication", `${from}: the answer is not text of the charset it states`);
  }
  if (kind === "form") {
    const form: JsonObject = {};
    for (const [name, value] of new URLSearchParams(text)) {
      const before = Object.hasOwn(form, name) ? form[name] : undefined;
      const next = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
      Object.defineProperty(form, name, {
        value: next,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return form;
  }
  if (kind === "json" || (kind === "unknown" && /^\s*[[{]/.test(text))) {
    try {
      return JSON.parse(text) as Json;
    } catch {
      if (kind === "json") throw callError("communication", `${from}: the answer is not valid JSON`);
    }
  }
  return text;
}
