import { isoTime } from "../../base/clock.ts";
import { newId } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { keptOr } from "../kept.ts";
import type { Transaction } from "../operation.ts";

/** What a webhook may be told of. */
const WEBHOOK_EVENTS = ["run.ended", "ask", "approval"] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** Queue what happened for every webhook of the tenant that wants it, in the transaction that it happens in. */
export function queueWebhooks(
  tx: Transaction,
  told: { tenantId: string; event: WebhookEvent; data: JsonObject; now: number },
): void {
  const wanted = tx
    .all<{ id: string; events: string }>("SELECT id, events FROM webhook WHERE tenant_id = ?", told.tenantId)
    .filter(({ events }) => (JSON.parse(events) as string[]).includes(told.event));
  for (const { id } of wanted) {
    const delivery = newId();
    const body = { id: delivery, type: told.event, timestamp: isoTime(told.now), data: told.data };
    tx.run(
      `INSERT INTO webhook_delivery (id, webhook_id, body, state, attempts, next_at, created_at)
       VALUES (?, ?, ?, 'pending', 0, ?, ?)`,
      delivery,
      id,
      JSON.stringify(body),
      told.now,
      told.now,
    );
    tx.notify("webhook", id);
  }
}

const ENDS: ReadonlySet<string> = new Set(["run.succeeded", "run.failed", "run.cancelled"]);

/** The end of a run, when it stands among the lines that one transition says. */
export function queueRunEnd(
  tx: Transaction,
  instanceId: string,
  rows: readonly { readonly event: string }[],
  now: number,
): void {
  const end = rows.findLast(({ event }) => ENDS.has(event));
  if (end === undefined) return;
  // Most installations have no webhook at all.
  const isAny = keptOr(tx.kept.webhook, "any", () => tx.get("SELECT 1 FROM webhook LIMIT 1") !== undefined);
  if (!isAny) return;
  const run = tx.get<{ tenant_id: string; run_id: string; workflow: string }>(
    "SELECT tenant_id, run_id, workflow FROM instance WHERE id = ?",
    instanceId,
  );
  if (run === undefined) return;
  const status = end.event.slice("run.".length);
  const data = { run_id: run.run_id, workflow_asset_id: run.workflow, status };
  queueWebhooks(tx, { tenantId: run.tenant_id, event: "run.ended", data, now });
}
