import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listSecrets as listSecretsQuery } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, oneOf, Text, Time } from "../shapes.ts";

export const listSecrets = defineOperation({
  name: "secret.list",
  scope: "admin",
  summary: "The names of the secrets; never a value or a reference",
  method: "GET",
  path: "/admin/secrets",
  input: closed({}),
  output: closed({
    secrets: Type.Array(
      closed({ name: Text, kind: oneOf("value", "reference"), created_at: Time, updated_at: Time }),
    ),
  }),
  run(context) {
    const rows = context.views.read(listSecretsQuery, context.tenantId);
    return {
      secrets: rows.map((row) => ({
        ...row,
        created_at: isoTime(row.created_at),
        updated_at: isoTime(row.updated_at),
      })),
    };
  },
});
