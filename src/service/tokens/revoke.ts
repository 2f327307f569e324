import { Type } from "@sinclair/typebox";
import { revokeAccessToken } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Tenant, Token, TokenId, tenantOf, tokenView } from "./view.ts";

export const revokeToken = defineOperation({
  name: "token.revoke",
  scope: "admin",
  summary: "Take a bearer token back, from this moment on; again changes nothing",
  method: "DELETE",
  path: "/admin/tokens/:token_id",
  input: closed({ token_id: TokenId, tenant: Type.Optional(Tenant) }),
  output: Token,
  async run(context, input) {
    return tokenView(
      await context.records.write(revokeAccessToken, {
        tenantId: tenantOf(context, input.tenant),
        id: input.token_id,
        actor: context.principal.subject,
        now: context.clock.wall(),
      }),
    );
  },
});
