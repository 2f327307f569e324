import { Type } from "@sinclair/typebox";
import { removeWebhook as removeQuery, removeSecret } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";
import { secretNameOf } from "./create.ts";

export const removeWebhook = defineOperation({
  name: "webhook.remove",
  scope: "admin",
  summary: "Tell an address nothing any more; what was not delivered is dropped",
  method: "DELETE",
  path: "/admin/webhooks/:webhook_id",
  input: closed({ webhook_id: Type.String({ pattern: "^[A-Za-z0-9]{1,64}$" }) }),
  output: closed({ id: Text }),
  async run(context, { webhook_id: id }) {
    const of = { tenantId: context.tenantId, actor: context.principal.subject, now: context.clock.wall() };
    await context.records.write(removeQuery, { ...of, id });
    await context.records.write(removeSecret, { ...of, name: secretNameOf(id) });
    return { id };
  },
});
