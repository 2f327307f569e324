import type { Json } from "../../base/json.ts";
import { callError } from "../error.ts";
import { mediaKind } from "./media-type.ts";

export interface EncodedBody {
  readonly bytes: string | Uint8Array;
  /** The media type to state where the document states none. */
  readonly contentType: string;
}

/**
 * A body as its media type wants it. A text goes out as it is written, for binary types decoded from base64; anything
 * else becomes JSON, or pairs for a form. Without a media type a text is `text/plain` and the rest JSON.
 * @throws CallError `configuration`
 */
export function encodeBody(body: Json | undefined, contentType: string | undefined): EncodedBody | undefined {
  if (body === undefined || body === null) return undefined;
  if (contentType === undefined) {
    if (typeof body === "string") return { bytes: body, contentType: "text/plain;charset=utf-8" };
    return { bytes: JSON.stringify(body), contentType: "application/json" };
  }
  const kind = mediaKind(contentType);
  if (typeof body === "string") {
    const isBytes = kind === "binary" && !contentType.toLowerCase().startsWith("multipart/");
    return { bytes: isBytes ? fromBase64(body) : body, contentType };
  }
  if (kind === "json") return { bytes: JSON.stringify(body), contentType };
  if (kind === "form") return { bytes: encodeForm(body), contentType };
  if (typeof body !== "object") return { bytes: String(body), contentType };
  throw callError("configuration", `a body of type ${contentType.split(";")[0]} must be a text`);
}

/** `application/x-www-form-urlencoded`: a list repeats its name, anything deeper is refused. */
export function encodeForm(body: Json): string {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw callError("configuration", "the body of a form must be an object or a text");
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body))
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item === null) continue;
      if (typeof item === "object")
        throw callError("configuration", `the form's \`${name}\` is nested too deep`);
      form.append(name, String(item));
    }
  return form.toString();
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw callError("configuration", "a binary body must be base64 text");
  }
}
