import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { jsonResponse } from "../../base/http.ts";
import { LIMITS } from "../../base/limits.ts";
import { closed } from "../../protocol/common.ts";
import { Artifact, ArtifactDigest, knownArtifact, uploadArtifact } from "../../service/index.ts";
import type { GatewayRoute, RouteCall } from "./route.ts";

/** What a browser may show by itself. Everything else is saved: an HTML artifact would be a page of this server. */
const SHOWN =
  /^(?:image\/(?:png|jpeg|gif|webp|avif)|text\/plain|application\/json|audio\/[\w.+-]+|video\/[\w.+-]+)$/;
const MEDIA_TYPE = /^[\w.+-]{1,64}\/[\w.+-]{1,64}$/;

/** One range of bytes, `end` exclusive; null for none; a failure with 416 is told by `undefined`. */
function rangeOf(header: string | null, size: number): { start: number; end: number } | null | undefined {
  const match = header === null ? null : /^bytes=(\d*)-(\d*)$/.exec(header);
  // Several ranges and other units may be answered with the whole.
  if (match === null || (match[1] === "" && match[2] === "")) return null;
  const [, first, last] = match as unknown as [string, string, string];
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  return start >= size || start >= end ? undefined : { start, end };
}

/** A file name in a header: plain letters, and the whole name as RFC 8187 has it. */
function disposition(kind: string, name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._ -]/g, "_").slice(-128);
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(name).replaceAll(/['()*]/g, (each) => `%${each.charCodeAt(0).toString(16)}`)}`;
}

function serve({ context, request, input }: RouteCall): Response {
  const known = knownArtifact(context, input["sha256"] as string);
  const etag = `"${known.sha256}"`;
  const headers: Record<string, string> = {
    etag,
    "accept-ranges": "bytes",
    // The name is the content: what was read once never changes.
    "cache-control": "private, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
  };
  const seen = request.headers.get("if-none-match");
  if (
    seen !== null &&
    (seen === "*" || seen.split(",").some((each) => each.trim().replace(/^W\//, "") === etag))
  ) {
    return new Response(null, { status: 304, headers });
  }
  const plain = known.media_type.split(";")[0]!.trim().toLowerCase();
  headers["content-type"] = MEDIA_TYPE.test(plain) ? known.media_type : "application/octet-stream";
  headers["content-disposition"] = disposition(
    SHOWN.test(plain) ? "inline" : "attachment",
    (known.name ?? known.sha256).split("/").at(-1)!,
  );
  const condition = request.headers.get("if-range");
  const range =
    condition === null || condition === etag ? rangeOf(request.headers.get("range"), known.size) : null;
  if (range === undefined) {
    throw fail("range_not_satisfiable", `the artifact has ${known.size} bytes`, {
      details: { size: known.size },
    });
  }
  if (range === null) return new Response(context.artifacts.open(known.sha256), { headers });
  headers["content-range"] = `bytes ${range.start}-${range.end - 1}/${known.size}`;
  return new Response(context.artifacts.open(known.sha256, range).stream(), {
    status: 206,
    headers: { ...headers, "content-length": String(range.end - range.start) },
  });
}

async function upload({ context, request, input }: RouteCall): Promise<Response> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declared > LIMITS.artifactBytes) throw fail("payload_too_large");
  const type = request.headers.get("content-type") ?? "application/octet-stream";
  if (!MEDIA_TYPE.test(type.split(";")[0]!.trim()))
    throw fail("unsupported_media_type", `the content type is ${type}`);
  const stored = await uploadArtifact(
    context,
    request.body ?? new Uint8Array(),
    {
      mediaType: type.slice(0, 256),
      name: (input["name"] as string | undefined) ?? null,
      expected: input["sha256"] as string | undefined,
    },
    LIMITS.artifactBytes,
  );
  const { created, ...artifact } = stored;
  return jsonResponse(artifact, created ? 201 : 200, { location: `/artifacts/${artifact.sha256}` });
}

export const artifactRoutes: readonly GatewayRoute[] = [
  {
    id: "uploadArtifact",
    name: "artifact.upload",
    scope: "run",
    summary: "Hand in bytes; the answer names them. With `sha256` they must have that digest",
    method: "POST",
    path: "/artifacts",
    input: closed({
      name: Type.Optional(
        Type.String({ minLength: 1, maxLength: 256, pattern: "^[^/\\u0000-\\u001f\\u007f]+$" }),
      ),
      sha256: Type.Optional(ArtifactDigest),
    }),
    takes: "*/*",
    answers: [
      { status: 201, about: "They are stored", schema: Artifact },
      { status: 200, about: "They were here already", schema: Artifact },
    ],
    handle: upload,
  },
  {
    id: "getArtifact",
    name: "artifact.get",
    scope: "read",
    summary: "The bytes of an artifact, whole or a range of them",
    method: "GET",
    path: "/artifacts/:sha256",
    input: closed({ sha256: ArtifactDigest }),
    answers: [
      { status: 200, about: "All bytes", type: "*/*" },
      { status: 206, about: "The range", type: "*/*" },
      { status: 304, about: "The caller has them" },
    ],
    handle: serve,
  },
];
