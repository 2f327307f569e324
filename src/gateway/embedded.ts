/**
 * A file that the executable carries, as an answer. The build compresses it, and who takes gzip gets it as it stands there;
 * under `bun run` it is the plain file.
 */
export async function embeddedResponse(
  path: string,
  request: Request,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const bytes = await Bun.file(path).bytes();
  const vary = { ...headers, vary: "accept-encoding" };
  if (!isPacked(bytes)) return new Response(bytes, { headers: vary });
  if (takesGzip(request)) return new Response(bytes, { headers: { ...vary, "content-encoding": "gzip" } });
  return new Response(Bun.gunzipSync(bytes), { headers: vary });
}

/** The same file as text. */
export async function embeddedText(path: string): Promise<string> {
  const bytes = await Bun.file(path).bytes();
  return new TextDecoder().decode(isPacked(bytes) ? Bun.gunzipSync(bytes) : bytes);
}

/** gzip's own first bytes; nothing that is embedded as text begins with them. */
const isPacked = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** RFC 9110, 12.5.3: a weight of zero refuses. */
const takesGzip = (request: Request): boolean =>
  (request.headers.get("accept-encoding") ?? "")
    .split(",")
    .some((part) => /^\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(part));
