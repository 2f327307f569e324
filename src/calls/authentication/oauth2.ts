import { digestOf } from "../../base/canonical.ts";
import { isObject, type JsonObject } from "../../base/json.ts";
import type { CallScope } from "../call.ts";
import { callError } from "../error.ts";
import type { Credentials } from "./credentials.ts";
import { discover } from "./discovery.ts";
import { checkIssued } from "./issued.ts";
import { requestToken, type TokenAnswer } from "./token-request.ts";

interface KeptToken {
  readonly access: string;
  /** On the monotonic clock. */
  readonly expiresAt: number;
  readonly refresh?: string;
}

/** A token is renewed this long before its end, or a tenth of its life when that is shorter. */
const RENEW_BEFORE_MS = 30_000;
/** For an answer without `expires_in`, which RFC 6749 only recommends. */
const UNSTATED_LIFE_MS = 300_000;

/**
 * OAuth 2.0 and OpenID Connect (DSL reference, "Authentication"). One token is kept for all calls with the same
 * properties, renewed before it ends, with its refresh token where there is one, and dropped when a server refuses it.
 */
export function oauth2Credentials(scheme: "oauth2" | "oidc", properties: JsonObject): Credentials {
  const key = `${scheme}:${digestOf(properties)}`;
  const token = (scope: CallScope): Promise<string> => accessToken(scheme, properties, key, scope);
  return {
    token,
    async headersFor(_request, scope) {
      return { authorization: `Bearer ${await token(scope)}` };
    },
    async renew(_response, _request, scope) {
      const kept = scope.tokenCache.get<KeptToken>(key);
      if (kept === undefined) return false;
      scope.tokenCache.set(key, { ...kept, expiresAt: Number.NEGATIVE_INFINITY });
      return true;
    },
  };
}

async function accessToken(
  scheme: "oauth2" | "oidc",
  properties: JsonObject,
  key: string,
  scope: CallScope,
): Promise<string> {
  const current = scope.tokenCache.get<KeptToken>(key);
  const kept =
    current !== undefined && current.expiresAt > scope.clock.monotonic()
      ? current
      : await scope.tokenCache.once(key, () => newToken(scheme, properties, key, current?.refresh, scope));
  scope.secrets.add(kept.access);
  return kept.access;
}

async function newToken(
  scheme: "oauth2" | "oidc",
  properties: JsonObject,
  key: string,
  refresh: string | undefined,
  scope: CallScope,
): Promise<KeptToken> {
  const server = await serverOf(scheme, properties, scope);
  const asked = scope.clock.monotonic();
  const answer = await renewed(properties, server, refresh, scope);
  for (const secret of [answer.access, answer.refresh, answer.identity])
    if (secret !== undefined) scope.secrets.add(secret);
  checkIssued(answer, properties, server.issuer, scope);
  const life = answer.expiresInMs ?? UNSTATED_LIFE_MS;
  const refreshToken = answer.refresh ?? refresh;
  const kept: KeptToken = {
    access: answer.access,
    expiresAt: asked + life - Math.min(RENEW_BEFORE_MS, life / 10),
    ...(refreshToken === undefined ? {} : { refresh: refreshToken }),
  };
  scope.tokenCache.set(key, kept);
  return kept;
}

/** With the refresh token first; a server that takes it no longer is asked as the first time. */
async function renewed(
  properties: JsonObject,
  server: TokenServer,
  refresh: string | undefined,
  scope: CallScope,
): Promise<TokenAnswer> {
  if (refresh !== undefined) {
    try {
      return await requestToken(server, properties, scope, refresh);
    } catch (error) {
      // A code is good for one exchange, so there is nothing to fall back on.
      if (properties["grant"] === "authorization_code" || scope.signal.aborted) throw error;
    }
  }
  return await requestToken(server, properties, scope);
}

export interface TokenServer {
  readonly tokenEndpoint: URL;
  /** Known from discovery. */
  readonly issuer?: string;
}

async function serverOf(
  scheme: "oauth2" | "oidc",
  properties: JsonObject,
  scope: CallScope,
): Promise<TokenServer> {
  const authority = properties["authority"];
  if (typeof authority !== "string") throw callError("configuration", `\`${scheme}.authority\` is missing`);
  if (scheme === "oidc") return await discover(authority, properties["issuers"], scope);
  const endpoints = properties["endpoints"];
  const stated = isObject(endpoints) ? endpoints["token"] : undefined;
  const path = typeof stated === "string" ? stated : "/oauth2/token";
  // The authority may have a path of its own (a realm), which the endpoint stands below.
  const text = /^https?:\/\//.test(path)
    ? path
    : `${authority.replace(/\/$/, "")}/${path.replace(/^\//, "")}`;
  const tokenEndpoint = URL.parse(text);
  if (tokenEndpoint === null) throw callError("configuration", "the token endpoint is not an address");
  return { tokenEndpoint };
}
