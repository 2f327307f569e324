import { isObject, type Json } from "../../base/json.ts";
import type { CallScope } from "../call.ts";
import { place } from "../destination/check.ts";
import { callError } from "../error.ts";
import { fetchJson } from "./fetch-json.ts";
import type { TokenServer } from "./oauth2.ts";

interface KeptServer extends TokenServer {
  readonly expiresAt: number;
}

const KEPT_MS = 3_600_000;

/** OpenID Connect Discovery 1.0: the endpoints of an authority, whose `issuer` must be the authority or be listed. */
export async function discover(
  authority: string,
  issuers: Json | undefined,
  scope: CallScope,
): Promise<TokenServer> {
  const base = authority.replace(/\/+$/, "");
  const allowed = Array.isArray(issuers) && issuers.length > 0 ? issuers : [authority, base, `${base}/`];
  const key = `discovery:${JSON.stringify([base, allowed])}`;
  const known = scope.tokenCache.get<KeptServer>(key);
  if (known !== undefined && known.expiresAt > scope.clock.monotonic()) return known;

  const url = URL.parse(`${base}/.well-known/openid-configuration`);
  if (url === null) throw callError("configuration", "`oidc.authority` is not an address");
  const { status, value } = await fetchJson(url, { method: "GET" }, scope);
  if (status !== 200 || !isObject(value))
    throw callError("authentication", `${place(url)}: discovery answered ${status} without a configuration`);
  const { issuer, token_endpoint: endpoint } = value;
  if (typeof issuer !== "string" || !allowed.includes(issuer))
    throw callError("authentication", `${place(url)}: the issuer that discovery states is another one`);
  const tokenEndpoint = typeof endpoint === "string" ? URL.parse(endpoint) : null;
  if (tokenEndpoint === null || (url.protocol === "https:" && tokenEndpoint.protocol !== "https:"))
    throw callError("authentication", `${place(url)}: discovery states no usable token endpoint`);
  const server = { tokenEndpoint, issuer, expiresAt: scope.clock.monotonic() + KEPT_MS };
  scope.tokenCache.set(key, server);
  return server;
}
