import { fail } from "../../base/errors.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query } from "../operation.ts";

export interface Webhook {
  id: string;
  tenant_id: string;
  url: string;
  events: string[];
  created_by: string;
  created_at: number;
}

type Row = Omit<Webhook, "events"> & { events: string };

export const createWebhook: Operation<Webhook, void> = (tx, webhook) => {
  const { id, tenant_id, url, events, created_by, created_at } = webhook;
  tx.run(
    "INSERT INTO webhook (id, tenant_id, url, events, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    id,
    tenant_id,
    url,
    JSON.stringify(events),
    created_by,
    created_at,
  );
  appendAudit(tx, {
    tenantId: tenant_id,
    now: created_at,
    actor: created_by,
    action: "webhook.created",
    object: `webhook:${id}`,
    body: { url, events },
  });
};

/** What was not delivered goes with it. @throws Failure `not_found` */
export const removeWebhook: Operation<{ tenantId: string; id: string; actor: string; now: number }, void> = (
  tx,
  { tenantId, id, actor, now },
) => {
  if (tx.get("SELECT 1 FROM webhook WHERE id = ? AND tenant_id = ?", id, tenantId) === undefined) {
    throw fail("not_found", `not found: webhook ${id}`);
  }
  tx.run("DELETE FROM webhook_delivery WHERE webhook_id = ?", id);
  tx.run("DELETE FROM webhook WHERE id = ?", id);
  appendAudit(tx, { tenantId, now, actor, action: "webhook.removed", object: `webhook:${id}`, body: {} });
};

export interface WebhookView extends Webhook {
  pending: number;
  delivered: number;
  given_up: number;
  last: { state: string; attempts: number; outcome: string | null; created_at: number } | null;
}

export const listWebhooks: Query<{ tenantId: string }, WebhookView[]> = (tx, { tenantId }) =>
  tx
    .all<Row>(
      "SELECT id, tenant_id, url, events, created_by, created_at FROM webhook WHERE tenant_id = ? ORDER BY id",
      tenantId,
    )
    .map((row) => {
      const counts = tx.all<{ state: "pending" | "delivered" | "given_up"; count: number }>(
        "SELECT state, count(*) AS count FROM webhook_delivery WHERE webhook_id = ? GROUP BY state",
        row.id,
      );
      const last = tx.get<NonNullable<WebhookView["last"]>>(
        "SELECT state, attempts, outcome, created_at FROM webhook_delivery WHERE webhook_id = ? ORDER BY id DESC LIMIT 1",
        row.id,
      );
      return {
        ...row,
        events: JSON.parse(row.events) as string[],
        pending: 0,
        delivered: 0,
        given_up: 0,
        ...Object.fromEntries(counts.map(({ state, count }) => [state, count])),
        last: last ?? null,
      };
    });

export interface DueDelivery {
  id: string;
  tenant_id: string;
  webhook_id: string;
  url: string;
  body: string;
  attempts: number;
}

/** Take deliveries that are due; until `until` nobody else does, so that a crash repeats them and no second process does. */
export const claimDeliveries: Operation<{ now: number; until: number; limit: number }, DueDelivery[]> = (
  tx,
  { now, until, limit },
) => {
  const due = tx.all<DueDelivery>(
    `SELECT delivery.id, webhook.tenant_id, delivery.webhook_id, webhook.url, delivery.body, delivery.attempts + 1 AS attempts
     FROM webhook_delivery AS delivery JOIN webhook ON webhook.id = delivery.webhook_id
     WHERE delivery.state = 'pending' AND delivery.next_at <= ? ORDER BY delivery.next_at LIMIT ?`,
    now,
    limit,
  );
  for (const { id } of due) {
    tx.run("UPDATE webhook_delivery SET attempts = attempts + 1, next_at = ? WHERE id = ?", until, id);
  }
  return due;
};

/** What became of an attempt; `retryAt` null where there is no further one. */
export const settleDelivery: Operation<
  { id: string; delivered: boolean; outcome: string; retryAt: number | null },
  void
> = (tx, { id, delivered, outcome, retryAt }) => {
  tx.run(
    "UPDATE webhook_delivery SET state = ?, outcome = ?, next_at = ? WHERE id = ?",
    delivered ? "delivered" : retryAt === null ? "given_up" : "pending",
    outcome,
    retryAt ?? 0,
    id,
  );
};

export const nextDelivery: Query<null, number | null> = (tx) =>
  tx.get<{ next_at: number }>(
    "SELECT next_at FROM webhook_delivery WHERE state = 'pending' ORDER BY next_at LIMIT 1",
  )?.next_at ?? null;
