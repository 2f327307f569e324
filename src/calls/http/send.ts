import { LIMITS } from "../../base/limits.ts";
import type { Credentials } from "../authentication/credentials.ts";
import type { CallScope } from "../call.ts";
import { place } from "../destination/check.ts";
import { guardedFetch } from "../destination/fetch.ts";
import { callError } from "../error.ts";
import { readAnswer } from "./read-body.ts";

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body?: string | Uint8Array;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** As the document made it: without what the authentication added. */
  readonly request: { readonly method: string; readonly url: string; readonly headers: Headers };
  /** For messages. */
  readonly from: string;
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
/** What another origin may see of the headers: none of them carries a credential. */
const PORTABLE = new Set(["accept", "accept-language", "content-type", "user-agent"]);

export interface SendOptions {
  /** false: an answer of 3xx is an error; true: its `Location` is followed, and a 3xx without one is an answer. */
  readonly redirect: boolean;
  readonly credentials: Credentials | undefined;
  /** Whether the other side acts on it; by default what the method says. */
  readonly isEffect?: boolean;
  /** Bytes of the answer; default `LIMITS.callResponseBytes`. */
  readonly limit?: number;
}

/**
 * Send a request, with credentials, and read its whole answer.
 * @throws CallError `communication` with the status for anything else than success
 */
export async function sendHttp(
  request: HttpRequest,
  options: SendOptions,
  scope: CallScope,
): Promise<HttpAnswer> {
  const { response, last } = await openHttp(request, options, scope);
  const from = `${last.method} ${place(last.url)}`;
  const body = await readAnswer(response, options.limit ?? LIMITS.callResponseBytes, from);
  return {
    status: response.status,
    headers: response.headers,
    body,
    request: { method: request.method, url: request.url.href, headers: request.headers },
    from,
  };
}

/** The same with the body left to be read: `response` is one that the task counts as success. */
export async function openHttp(
  request: HttpRequest,
  options: SendOptions,
  scope: CallScope,
): Promise<{ readonly response: Response; readonly last: HttpRequest }> {
  let last = request;
  for (let hops = 0; ; hops++) {
    const isSameOrigin = last.url.origin === request.url.origin;
    const credentials = isSameOrigin ? options.credentials : undefined;
    const response = await sendOnce(
      last,
      { credentials, isEffect: options.isEffect ?? !SAFE.has(last.method) },
      scope,
    );
    const { status } = response;
    if (status >= 200 && status < 300) return { response, last };
    const from = `${last.method} ${place(last.url)}`;
    const location = response.headers.get("location");
    if (status < 300 || status >= 400 || !options.redirect) {
      await response.body?.cancel().catch(() => {});
      const hint = status >= 300 && status < 400 ? ", and `redirect` is not set" : "";
      throw callError("communication", `${from} answered ${status}${hint}`, status);
    }
    if (location === null || !/^(?:301|302|303|307|308)$/.test(String(status))) return { response, last };
    await response.body?.cancel().catch(() => {});
    if (hops === LIMITS.callRedirects)
      throw callError("communication", `${from}: more than ${LIMITS.callRedirects} redirects`, status);
    last = redirected(last, status, location, from);
  }
}

/** The next request of a redirect (RFC 9110, 15.4; what may be carried along is stricter). */
function redirected(request: HttpRequest, status: number, location: string, from: string): HttpRequest {
  const url = URL.parse(location, request.url.href);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw callError("communication", `${from} answered ${status} without an address to go to`, status);
  const isSameOrigin = url.origin === request.url.origin;
  if (!isSameOrigin && request.url.protocol === "https:" && url.protocol === "http:")
    throw callError("communication", `${from} answered ${status} away from TLS`, status);
  const becomesGet =
    (status === 303 && request.method !== "HEAD") || (status < 303 && request.method === "POST");
  if (!isSameOrigin && !becomesGet && request.body !== undefined)
    throw callError(
      "communication",
      `${from} answered ${status}: the body is not sent to another origin`,
      status,
    );
  const headers = new Headers(request.headers);
  for (const name of [...headers.keys()])
    if ((becomesGet && name.startsWith("content-")) || (!isSameOrigin && !PORTABLE.has(name)))
      headers.delete(name);
  if (becomesGet) headers.delete("idempotency-key");
  return {
    method: becomesGet ? "GET" : request.method,
    url,
    headers,
    ...(becomesGet || request.body === undefined ? {} : { body: request.body }),
  };
}

/** One request with credentials, sent again once when a 401 says how. Whatever is answered is returned. */
export async function sendOnce(
  request: HttpRequest,
  options: { readonly credentials: Credentials | undefined; readonly isEffect: boolean },
  scope: CallScope,
): Promise<Response> {
  const { credentials, isEffect } = options;
  for (let attempt = 0; ; attempt++) {
    const headers = new Headers(request.headers);
    if (isEffect && !headers.has("idempotency-key")) headers.set("idempotency-key", scope.idempotencyKey);
    const own = credentials === undefined ? {} : ((await credentials.headersFor(request, scope)) ?? {});
    for (const [name, value] of Object.entries(own))
      headers.set(name, name === "cookie" && headers.has(name) ? `${headers.get(name)}; ${value}` : value);
    let { url } = request;
    if (credentials?.queryFor !== undefined) {
      url = new URL(url);
      for (const [name, value] of Object.entries((await credentials.queryFor(scope)) ?? {}))
        url.searchParams.set(name, value);
    }
    const before = scope.sent;
    const response = await guardedFetch(url, { ...request, headers, isEffect }, scope);
    if (response.status !== 401 || attempt > 0 || credentials?.renew === undefined) return response;
    if (!(await credentials.renew(response, request, scope))) return response;
    await response.body?.cancel().catch(() => {});
    // A request that was turned away at the door had no effect.
    scope.sent = before;
  }
}
