import { Type } from "@sinclair/typebox";
import { sha256 } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import { randomToken } from "../../base/ids.ts";
import { createAccessToken } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import type { Scope } from "../principal.ts";
import { closed } from "../shapes.ts";
import { NewToken, ScopeName, Subject, Tenant, tenantOf, tokenView } from "./view.ts";

const DAY_MS = 86_400_000;

/** Who acts in histories and the audit without a token: no token may pass for one of them. */
const OTHERS = /^(runner:.*|orchestrator|controller|retention|loopback|unknown)$/;

export const createToken = defineOperation({
  name: "token.create",
  scope: "admin",
  summary: "A bearer token for the gateway; it is told this once, only its digest is kept",
  method: "POST",
  path: "/admin/tokens",
  status: 201,
  input: closed({
    subject: Subject,
    scopes: Type.Array(ScopeName, { minItems: 1, maxItems: 3, uniqueItems: true }),
    roles: Type.Optional(
      Type.Array(Type.String({ pattern: "^[a-z][a-z0-9._-]{0,63}$" }), { maxItems: 32, uniqueItems: true }),
    ),
    /** 90 unless said. */
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650 })),
    /** The caller's own unless said; another one only from a caller on this host. */
    tenant: Type.Optional(Tenant),
  }),
  output: NewToken,
  async run(context, input) {
    const { principal } = context;
    if (OTHERS.test(input.subject))
      throw fail("invalid_request", `/subject: ${input.subject} is what the audit calls somebody else`, {
        hint: "name the person or the program, such as alice or ci-builds",
      });
    const tenant = tenantOf(context, input.tenant);
    const more = input.scopes.filter((scope) => !principal.scopes.includes(scope));
    if (more.length > 0) {
      throw fail("forbidden", `the caller has no ${more.join(", ")} to give away`, {
        hint: "create the token on the host itself",
      });
    }
    const now = context.clock.wall();
    const id = randomToken(9);
    const secret = randomToken();
    const token = {
      id,
      tenant_id: tenant,
      subject: input.subject,
      roles: input.roles ?? [],
      scopes: input.scopes as Scope[],
      created_by: principal.subject,
      created_at: now,
      expires_at: now + (input.days ?? 90) * DAY_MS,
    };
    await context.records.write(createAccessToken, { ...token, hash: sha256(secret) });
    return { ...tokenView({ ...token, revoked_at: null }), token: `${id}.${secret}` };
  },
});
