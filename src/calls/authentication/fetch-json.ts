import type { Json } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { CallScope } from "../call.ts";
import { place } from "../destination/check.ts";
import { guardedFetch } from "../destination/fetch.ts";
import { readAnswer } from "../http/read-body.ts";

/** Ask a server that prepares a call: no redirects, no effect of the call itself. `value` is undefined without JSON. */
export async function fetchJson(
  url: URL,
  request: { readonly method: string; readonly headers?: Record<string, string>; readonly body?: string },
  scope: CallScope,
): Promise<{ readonly status: number; readonly value: Json | undefined }> {
  const headers = new Headers({ accept: "application/json", ...request.headers });
  const response = await guardedFetch(url, { ...request, headers, isEffect: false }, scope);
  const body = await readAnswer(response, LIMITS.callResponseBytes, place(url));
  let value: Json | undefined;
  try {
    value = JSON.parse(new TextDecoder().decode(body)) as Json;
  } catch {
    // An error page, which the status says enough about.
  }
  return { status: response.status, value };
}
