import { type Failure, fail, toFailure, toProblem } from "./errors.ts";
import type { Json } from "./json.ts";
import { parseStrictJson } from "./strict-json.ts";

/** A JSON answer. */
export function jsonResponse(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

/** Any thrown value as an RFC 9457 answer. */
export function problemResponse(error: unknown): Response {
  const failure = toFailure(error);
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (failure.status === 429 || failure.status === 503) headers["retry-after"] = "1";
  if (failure.status === 401) headers["www-authenticate"] = "Bearer";
  return new Response(JSON.stringify(toProblem(failure)), { status: failure.status, headers });
}

/**
 * A whole request body, never more than `limit` bytes in memory.
 * @throws Failure `payload_too_large`
 */
export async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  const tooLarge = (): Failure => fail("payload_too_large", `the body is over ${limit} bytes`);
  if (declared > limit) throw tooLarge();
  if (Number.isFinite(declared)) return new Uint8Array(await request.arrayBuffer());
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body ?? []) {
    size += part.length;
    if (size > limit) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The path of a request, without the cost of a whole URL. */
export function pathOf(request: Request): string {
  const { url } = request;
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

/** A JSON body, read strictly (duplicate keys and unsafe integers refused). */
export async function readJson(request: Request, limit: number): Promise<Json> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/(?:[a-z.+-]+\+)?json\b/i.test(type)) {
    throw fail("unsupported_media_type", `the content type is ${type || "missing"}`, {
      hint: "send application/json",
    });
  }
  const body = await readBody(request, limit);
  let text: string;
  try {
    text = UTF8.decode(body);
  } catch {
    throw fail("invalid_json", "the body is not valid UTF-8");
  }
  return parseStrictJson(text);
}

/** The bearer token of a request. @throws Failure `unauthenticated` */
export function bearerToken(request: Request): string {
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,512})$/.exec(request.headers.get("authorization") ?? "");
  if (match === null) throw fail("unauthenticated", "the request has no bearer token");
  return match[1]!;
}
