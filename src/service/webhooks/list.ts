import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listWebhooks as listQuery } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, named, nullable, Text, Time } from "../shapes.ts";

const Webhook = named(
  "Webhook",
  closed({
    id: Text,
    url: Text,
    events: Type.Array(Text),
    created_by: Text,
    created_at: Time,
    pending: Integer,
    delivered: Integer,
    given_up: Integer,
    last: nullable(closed({ state: Text, attempts: Integer, outcome: nullable(Text), created_at: Time })),
  }),
);

export const listWebhooks = defineOperation({
  name: "webhook.list",
  scope: "admin",
  summary: "Who is told of what, and how the last deliveries went",
  method: "GET",
  path: "/admin/webhooks",
  input: closed({}),
  output: closed({ webhooks: Type.Array(Webhook) }),
  run: (context) => ({
    webhooks: context.views
      .read(listQuery, { tenantId: context.tenantId })
      .map(({ tenant_id: _, last, created_at, ...webhook }) => ({
        ...webhook,
        created_at: isoTime(created_at),
        last: last === null ? null : { ...last, created_at: isoTime(last.created_at) },
      })),
  }),
});
