import type { JsonObject } from "../../base/json.ts";
import type { CallScope } from "../call.ts";
import { callError } from "../error.ts";
import { readClaims } from "./jwt.ts";
import type { TokenAnswer } from "./token-request.ts";

/**
 * Whether what was issued is what was asked for: issuer and audience, where the tokens are JWTs. They come straight from
 * the token endpoint, so TLS vouches for them in place of the signature (OpenID Connect Core 1.0, 3.1.3.7, item 6).
 */
export function checkIssued(
  answer: TokenAnswer,
  properties: JsonObject,
  issuer: string | undefined,
  scope: CallScope,
): void {
  const listed = properties["issuers"];
  const issuers =
    Array.isArray(listed) && listed.length > 0 ? listed : issuer === undefined ? undefined : [issuer];
  const identity = answer.identity === undefined ? undefined : readClaims(answer.identity);
  const access = readClaims(answer.access);
  for (const claims of [identity, access])
    if (claims !== undefined && issuers !== undefined && claims["iss"] !== undefined)
      if (!issuers.includes(claims["iss"] as string))
        throw callError("authentication", "the token was issued by another issuer than the policy names");

  const audiences = properties["audiences"];
  if (Array.isArray(audiences) && audiences.length > 0 && access?.["aud"] !== undefined)
    if (![access["aud"]].flat().some((audience) => audiences.includes(audience as string)))
      throw callError("authentication", "the token is for another audience than the policy names");

  const client = properties["client"] as JsonObject | undefined;
  if (identity?.["aud"] !== undefined && typeof client?.["id"] === "string")
    if (![identity["aud"]].flat().includes(client["id"]))
      throw callError("authentication", "the identity token is for another client");
  const expires = identity?.["exp"];
  if (typeof expires === "number" && expires * 1000 < scope.clock.wall() - 60_000)
    throw callError("authentication", "the identity token has expired");
}
