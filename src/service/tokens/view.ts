import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { AccessToken } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import type { Scope } from "../principal.ts";
import { closed, named, nullable, oneOf, Text, Time } from "../shapes.ts";

export const ScopeName = oneOf("read", "run", "admin");
/** What histories name as the actor: a word for a program or a person. */
export const Subject = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$" });
export const Tenant = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" });
export const TokenId = Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$" });

const properties = {
  id: Text,
  tenant: Text,
  subject: Text,
  roles: Type.Array(Text),
  scopes: Type.Array(ScopeName),
  created_by: Text,
  created_at: Time,
  expires_at: Time,
  revoked_at: nullable(Time),
};
export const Token = named("AccessToken", closed(properties));
export const NewToken = named("NewAccessToken", closed({ ...properties, token: Text }));

export function tokenView(token: AccessToken) {
  const { tenant_id, scopes, revoked_at, created_at, expires_at, ...rest } = token;
  return {
    ...rest,
    tenant: tenant_id,
    scopes: scopes as Scope[],
    created_at: isoTime(created_at),
    expires_at: isoTime(expires_at),
    revoked_at: revoked_at === null ? null : isoTime(revoked_at),
  };
}

/** The tenant that an operation on tokens is about: the caller's own, or one that a caller on this host names. */
export function tenantOf(context: ServiceContext, named: string | undefined): string {
  if (named === undefined || named === context.tenantId) return context.tenantId;
  if (!context.trustsPaths) throw fail("tenant_mismatch");
  return named;
}
