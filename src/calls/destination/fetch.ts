import { VERSION } from "../../base/version.ts";
import type { CallScope } from "../call.ts";
import { callError } from "../error.ts";
import { parseAddress } from "./address.ts";
import { checkDestination, hostName, place } from "./check.ts";

export interface GuardedRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: string | Uint8Array;
  /** Whether the other side may act on it: false for safe methods and for what only prepares a call. */
  readonly isEffect: boolean;
}

/** Methods that Bun never sends a second time by itself. */
const SENT_ONCE = new Set(["POST", "PATCH"]);

/** Nothing was sent: no connection, or no agreement on TLS. */
const BEFORE_SENDING =
  /^(?:ECONNREFUSED|ConnectionRefused|FailedToOpenSocket|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EPROTO|DNS\w*)$/;
const TLS_REFUSAL =
  /^(?:ERR_TLS|ERR_SSL|UNABLE_TO|UNKNOWN_CERT|CERT_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH)/;

/**
 * One HTTP request to a place that the destination policy allows. It goes to the very address that was checked, under
 * the name that the document wrote: the `Host` header and the name in TLS are the name's, the connection is the
 * address's. Redirects are never followed here.
 */
export async function guardedFetch(url: URL, request: GuardedRequest, scope: CallScope): Promise<Response> {
  const { addresses } = await checkDestination(url, scope);
  const targets = addresses === undefined || parseAddress(hostName(url)) ? [undefined] : addresses;
  const before = scope.sent;
  for (const [index, address] of targets.entries()) {
    if (request.isEffect) scope.sent = "possible";
    try {
      return await scope.fetch(pinned(url, address), {
        method: request.method,
        headers: headersFor(url, request.headers, address),
        redirect: "manual",
        signal: scope.signal,
        // The deadline of the call is in the signal; Bun's own of five minutes would cut a longer one.
        timeout: false,
        // On a connection that was used before, Bun sends a PUT or DELETE again when it breaks without an answer.
        ...(request.isEffect && !SENT_ONCE.has(request.method) ? { keepalive: false } : {}),
        tls: tlsOptions(url, address, scope.trust),
        ...(request.body === undefined ? {} : { body: request.body }),
      } as RequestInit);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      const isUnsent = BEFORE_SENDING.test(code) || TLS_REFUSAL.test(code);
      if (isUnsent) scope.sent = before;
      if (isUnsent && index + 1 < targets.length && !scope.signal.aborted) continue;
      throw networkError(url, code);
    }
  }
  throw networkError(url, "");
}

/** The check of certificates is stated, since an environment variable of Node turns it off for a whole process. */
export function tlsOptions(url: URL, address: string | undefined, trust: string | undefined) {
  return {
    rejectUnauthorized: true,
    ...(address === undefined ? {} : { serverName: hostName(url) }),
    ...(trust === undefined ? {} : { ca: trust }),
  };
}

export function pinned(url: URL, address: string | undefined): string {
  if (address === undefined && url.hash === "") return url.href;
  const target = new URL(url);
  target.hash = "";
  if (address !== undefined) target.hostname = address.includes(":") ? `[${address}]` : address;
  return target.href;
}

function headersFor(url: URL, headers: Headers, address: string | undefined): Headers {
  const result = new Headers(headers);
  if (!result.has("user-agent")) result.set("user-agent", `lightflow/${VERSION}`);
  if (address !== undefined) result.set("host", url.host);
  return result;
}

function networkError(url: URL, code: string) {
  const reason =
    code === "ECONNREFUSED" || code === "ConnectionRefused"
      ? "the connection was refused"
      : code === "ENOTFOUND" || code.startsWith("DNS")
        ? "the host name has no address"
        : TLS_REFUSAL.test(code) || code === "EPROTO"
          ? `TLS failed (${code})`
          : `the connection broke${/^[A-Za-z_]+$/.test(code) ? ` (${code})` : ""}`;
  return callError("communication", `${place(url)}: ${reason}`);
}
