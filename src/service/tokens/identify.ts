import { sha256 } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import { equalSecret } from "../../base/ids.ts";
import { findAccessToken } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import type { Principal, Scope } from "../principal.ts";

/**
 * Who a bearer token names. It is read anew each time, so that a revoked one ends at once; found by its public half,
 * so that no look-up depends on the secret.
 * @throws Failure `unauthenticated`, in the same words for every reason
 */
export function identify(context: Pick<ServiceContext, "views" | "clock">, bearer: string): Principal {
  const dot = bearer.indexOf(".");
  const found = dot < 1 ? null : context.views.read(findAccessToken, bearer.slice(0, dot));
  const offered = sha256(bearer.slice(dot + 1));
  if (!equalSecret(offered, found?.hash ?? "0".repeat(64)) || found === null) throw fail("unauthenticated");
  const { token } = found;
  if (token.revoked_at !== null || token.expires_at <= context.clock.wall()) throw fail("unauthenticated");
  return {
    subject: token.subject,
    tenantId: token.tenant_id,
    roles: token.roles,
    scopes: token.scopes as Scope[],
  };
}
