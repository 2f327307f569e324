import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { randomToken } from "../../base/ids.ts";
import { ensureKey, placeOf, seal } from "../../secrets/index.ts";
import { createWebhook as createQuery, putSecret } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, oneOf, Text, Time } from "../shapes.ts";

const EventName = oneOf("run.ended", "ask", "approval");
/** The secret that signs what goes to a webhook stands among the tenant's, under this name. */
export const secretNameOf = (id: string): string => `webhook.${id}`;

export const createWebhook = defineOperation({
  name: "webhook.create",
  scope: "admin",
  summary:
    "Be told at an address when a run ends, asks or wants an approval; the signing secret is told this once",
  method: "POST",
  path: "/admin/webhooks",
  status: 201,
  input: closed({
    url: Type.String({ minLength: 8, maxLength: 2048, pattern: "^https?://" }),
    /** All of them unless said. */
    events: Type.Optional(Type.Array(EventName, { minItems: 1, maxItems: 3, uniqueItems: true })),
  }),
  output: closed({ id: Text, url: Text, events: Type.Array(EventName), created_at: Time, secret: Text }),
  async run(context, input) {
    let url: URL;
    try {
      url = new URL(input.url);
    } catch {
      throw fail("invalid_request", "/url: is no address");
    }
    if (url.username !== "" || url.password !== "") {
      throw fail("invalid_request", "/url: a credential does not stand in an address", {
        hint: "check the signature instead",
      });
    }
    const { tenantId } = context;
    const id = randomToken(9).replaceAll(/[-_]/g, "0");
    const secret = `whsec_${Buffer.from(randomToken(32), "base64url").toString("base64")}`;
    const now = context.clock.wall();
    const actor = context.principal.subject;
    const events = input.events ?? (["run.ended", "ask", "approval"] as const);
    const name = secretNameOf(id);
    const body = seal(secret, placeOf(tenantId, name), ensureKey(context.stateDirectory));
    // The secret first: a webhook without one could not be signed.
    await context.records.write(putSecret, { tenantId, name, kind: "value", body, actor, now });
    const webhook = {
      id,
      tenant_id: tenantId,
      url: url.href,
      events: [...events],
      created_by: actor,
      created_at: now,
    };
    await context.records.write(createQuery, webhook);
    return { id, url: url.href, events: [...events], created_at: isoTime(now), secret };
  },
});
