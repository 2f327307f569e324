import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PolicyObject } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { AnyObject, closed, Integer, named, nullable, Text, Time } from "../shapes.ts";

/** A published version. */
export const PolicyVersion = named(
  "PolicyVersion",
  closed({
    kind: Text,
    id: Text,
    version: Integer,
    digest: Text,
    /** `active` or `revoked`. */
    state: Text,
    document: AnyObject,
    published_by: Text,
    published_at: Time,
    revoked_by: nullable(Text),
    revoked_at: nullable(Time),
    reason: nullable(Text),
  }),
);

export const policyVersion = ({ body, published_at, revoked_at, ...rest }: PolicyObject) => ({
  ...rest,
  document: body,
  published_at: isoTime(published_at),
  revoked_at: revoked_at === null ? null : isoTime(revoked_at),
});

export const Published = closed({
  kind: Text,
  id: Text,
  version: Integer,
  digest: Text,
  /** False when the newest version said the same. */
  created: Type.Boolean(),
});

/** The tenant whose administrators operate the whole service. */
const OPERATOR_TENANT = "default";

/** What holds for every tenant is decided by operators: on this host, or of the operators' tenant. */
export function operatorOnly(context: ServiceContext): void {
  if (context.trustsPaths || context.principal.tenantId === OPERATOR_TENANT) return;
  throw fail("forbidden", "only an operator of the service may do this");
}

/** Who does it, whose chain tells of it, and when. */
export const byWhom = (context: ServiceContext) => ({
  actor: context.principal.subject,
  tenantId: context.principal.tenantId,
  now: context.clock.wall(),
});
