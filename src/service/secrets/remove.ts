import { Type } from "@sinclair/typebox";
import { removeSecret as removeSecretOperation } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";
import { SecretName } from "./set.ts";

export const removeSecret = defineOperation({
  name: "secret.rm",
  scope: "admin",
  summary: "Forget a secret; forgetting it again changes nothing",
  method: "DELETE",
  path: "/admin/secrets/:name",
  input: closed({ name: SecretName }),
  output: closed({ name: Text, removed: Type.Boolean() }),
  async run(context, { name }) {
    const removed = await context.records.write(removeSecretOperation, {
      tenantId: context.tenantId,
      name,
      actor: context.principal.subject,
      now: context.clock.wall(),
    });
    return { name, removed };
  },
});
