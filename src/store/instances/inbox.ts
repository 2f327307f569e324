import type { JsonObject } from "../../base/json.ts";
import type { Operation, Transaction } from "../operation.ts";
import type { InstanceRow, ListenEffect } from "./engine-port.ts";
import { listensFor } from "./lifecycle.ts";

/**
 * Keep an event until it is delivered. CloudEvents' `subject` names the aggregate that it is about: those of one source,
 * subject and lane are handled in their order.
 * @param lane for an event that starts a workflow; null for one that is listened for
 * @returns false when the event was there already
 */
export function putEvent(
  tx: Transaction,
  tenantId: string,
  event: JsonObject,
  lane: string | null,
  now: number,
  /** Who sent it: a run that it starts is theirs. */
  by: string | null = null,
): boolean {
  const { subject } = event;
  const source = String(event["source"]);
  const put = tx.run(
    `INSERT INTO event_inbox (tenant_id, source, event_id, type, lane, aggregate, body, state, received_at, sent_by)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?) ON CONFLICT (tenant_id, source, event_id) DO NOTHING`,
    tenantId,
    source,
    String(event["id"]),
    String(event["type"]),
    lane,
    typeof subject === "string" ? `${source} ${subject}` : null,
    JSON.stringify(event),
    now,
    by,
  );
  if (put > 0) tx.notify("inbox", tenantId);
  return put > 0;
}

/** Take an event in; it is delivered from there, also after a restart. @returns whether it is a new one */
export const receiveEvent: Operation<
  { tenantId: string; event: JsonObject; lane: string | null; now: number; by?: string },
  boolean
> = (tx, input) => putEvent(tx, input.tenantId, input.event, input.lane, input.now, input.by);

/** The task hears what comes in from now on. */
export function subscribe(tx: Transaction, row: InstanceRow, effect: ListenEffect): void {
  const { last } = tx.get<{ last: number | null }>("SELECT max(seq) AS last FROM event_inbox")!;
  for (const { type, from, value } of effect.filters) {
    listensFor(tx, row.tenant_id, type);
    tx.run(
      "INSERT OR IGNORE INTO subscription (tenant_id, type, correlation, value, instance_id, effect_id, after_seq) VALUES (?, ?, ?, ?, ?, ?, ?)",
      row.tenant_id,
      type,
      from,
      value,
      row.id,
      effect.id,
      last ?? 0,
    );
  }
}

export function unsubscribe(tx: Transaction, instanceId: string, effectId: string): boolean {
  return tx.run("DELETE FROM subscription WHERE instance_id = ? AND effect_id = ?", instanceId, effectId) > 0;
}
