import { Type } from "@sinclair/typebox";
import { listAccessTokens } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Tenant, Token, tenantOf, tokenView } from "./view.ts";

export const listTokens = defineOperation({
  name: "token.list",
  scope: "admin",
  summary: "Bearer tokens of the gateway: whose they are, what they allow, until when",
  method: "GET",
  path: "/admin/tokens",
  input: closed({ tenant: Type.Optional(Tenant) }),
  output: closed({ tokens: Type.Array(Token) }),
  run(context, input) {
    return {
      tokens: context.views
        .read(listAccessTokens, { tenantId: tenantOf(context, input.tenant) })
        .map(tokenView),
    };
  },
});
