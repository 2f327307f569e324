import { sha256 } from "../../base/canonical.ts";
import { randomToken } from "../../base/ids.ts";
import { callError } from "../error.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { AuthenticatedRequest, Credentials } from "./credentials.ts";

interface Nonce {
  readonly challenge: Challenge["parameters"];
  readonly algorithm: string;
  count: number;
}

/** Preferred first; `-sess` variants hash the client's nonce into the key. */
const ALGORITHMS = ["SHA-256", "SHA-256-SESS", "MD5", "MD5-SESS"];

/**
 * HTTP Digest (RFC 7616) with `qop=auth`, or without one as RFC 2069 had it. The nonce of a server is used again with a
 * growing count until the server sends another one.
 */
export function digestCredentials(username: string, password: string): Credentials {
  const keyFor = (url: URL) => `digest:${sha256(`${url.origin}\0${username}\0${password}`)}`;
  return {
    async headersFor(request, scope) {
      const nonce = scope.tokenCache.get<Nonce>(keyFor(request.url));
      const headers: Record<string, string> = {};
      if (nonce !== undefined) headers["authorization"] = answer(nonce, request, username, password);
      return headers;
    },
    async renew(response, request, scope) {
      const known = scope.tokenCache.get<Nonce>(keyFor(request.url));
      const nonce = bestChallenge(response);
      if (nonce === undefined) return false;
      const isRefusal =
        known !== undefined &&
        known.challenge["nonce"] === nonce.challenge["nonce"] &&
        nonce.challenge["stale"]?.toLowerCase() !== "true";
      if (isRefusal) return false;
      scope.tokenCache.set(keyFor(request.url), nonce);
      return true;
    },
  };
}

function bestChallenge(response: Response): Nonce | undefined {
  const offered = parseChallenges(response.headers.get("www-authenticate") ?? "").filter(
    ({ scheme, parameters }) =>
      scheme === "digest" && parameters["nonce"] !== undefined && parameters["realm"] !== undefined,
  );
  for (const algorithm of ALGORITHMS)
    for (const { parameters } of offered)
      if ((parameters["algorithm"] ?? "MD5").toUpperCase() === algorithm) {
        const qop = parameters["qop"]?.split(",").map((word) => word.trim().toLowerCase());
        if (qop !== undefined && !qop.includes("auth")) continue;
        return { challenge: parameters, algorithm, count: 0 };
      }
  if (offered.length > 0)
    throw callError(
      "authentication",
      "the server's digest challenge offers no algorithm and qop that is known",
    );
  return undefined;
}

function answer(nonce: Nonce, request: AuthenticatedRequest, username: string, password: string): string {
  const { challenge, algorithm } = nonce;
  const hash = (text: string) =>
    new Bun.CryptoHasher(algorithm.startsWith("MD5") ? "md5" : "sha256").update(text).digest("hex");
  const { realm = "", nonce: value = "", opaque } = challenge;
  const uri = request.url.pathname + request.url.search;
  const clientNonce = randomToken(16);
  const count = (++nonce.count).toString(16).padStart(8, "0");
  const plain = hash(`${username}:${realm}:${password}`);
  const key = algorithm.endsWith("-SESS") ? hash(`${plain}:${value}:${clientNonce}`) : plain;
  const asked = hash(`${request.method}:${uri}`);
  const hasQop = challenge["qop"] !== undefined;
  const response = hasQop
    ? hash(`${key}:${value}:${count}:${clientNonce}:auth:${asked}`)
    : hash(`${key}:${value}:${asked}`);
  const fields: [string, string][] = [
    ["username", quoted(username)],
    ["realm", quoted(realm)],
    ["nonce", quoted(value)],
    ["uri", quoted(uri)],
    ["response", quoted(response)],
  ];
  if (challenge["algorithm"] !== undefined) fields.push(["algorithm", challenge["algorithm"]]);
  if (opaque !== undefined) fields.push(["opaque", quoted(opaque)]);
  if (hasQop || algorithm.endsWith("-SESS")) fields.push(["cnonce", quoted(clientNonce)]);
  if (hasQop) fields.push(["qop", "auth"], ["nc", count]);
  return `Digest ${fields.map(([name, text]) => `${name}=${text}`).join(", ")}`;
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
