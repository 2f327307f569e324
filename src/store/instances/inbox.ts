import type { JsonObject } from "../../base/json.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { advanceInstance, type EnginePort, type InstanceRow, type ListenEffect } from "./advance.ts";

/** @returns false when the event was there already */
export function putEvent(tx: Transaction, tenantId: string, event: JsonObject, now: number): boolean {
  const put = tx.run(
    `INSERT INTO event_inbox (tenant_id, source, event_id, type, body, state, received_at) VALUES (?, ?, ?, ?, ?, 'pending', ?)
     ON CONFLICT (tenant_id, source, event_id) DO NOTHING`,
    tenantId,
    String(event["source"]),
    String(event["id"]),
    String(event["type"]),
    JSON.stringify(event),
    now,
  );
  if (put > 0) tx.notify("inbox", tenantId);
  return put > 0;
}

/** Take an event in; it is delivered from there, also after a restart. @returns whether it is a new one */
export const receiveEvent: Operation<{ tenantId: string; event: JsonObject; now: number }, boolean> = (
  tx,
  input,
) => putEvent(tx, input.tenantId, input.event, input.now);

/** The task hears what comes in from now on. */
export function subscribe(tx: Transaction, row: InstanceRow, effect: ListenEffect): void {
  const { last } = tx.get<{ last: number | null }>("SELECT max(seq) AS last FROM event_inbox")!;
  for (const type of effect.types) {
    tx.run(
      "INSERT INTO subscription (tenant_id, type, instance_id, effect_id, after_seq) VALUES (?, ?, ?, ?, ?)",
      row.tenant_id,
      type,
      row.id,
      effect.id,
      last ?? 0,
    );
  }
}

export function unsubscribe(tx: Transaction, instanceId: string, effectId: string): boolean {
  return tx.run("DELETE FROM subscription WHERE instance_id = ? AND effect_id = ?", instanceId, effectId) > 0;
}

/** The position of the oldest event that is not delivered yet, or null. */
export const nextEvent: Query<null, number | null> = (tx) =>
  tx.get<{ seq: number }>("SELECT seq FROM event_inbox WHERE state = 'pending' ORDER BY seq LIMIT 1")?.seq ??
  null;

/** Give one event to every task that listens for it, in one transaction: each consumes it once or not at all. */
export const deliverEvent: Operation<{ engine: EnginePort; seq: number; now: number }, number> = (
  tx,
  input,
) => {
  const row = tx.get<{ tenant_id: string; type: string; body: string; state: string }>(
    "SELECT tenant_id, type, body, state FROM event_inbox WHERE seq = ?",
    input.seq,
  );
  if (row === undefined || row.state !== "pending") return 0;
  tx.run("UPDATE event_inbox SET state = 'delivered' WHERE seq = ?", input.seq);
  const listeners = tx.all<{ instance_id: string; effect_id: string }>(
    "SELECT DISTINCT instance_id, effect_id FROM subscription WHERE tenant_id = ? AND type IN (?, '') AND after_seq < ?",
    row.tenant_id,
    row.type,
    input.seq,
  );
  const event = JSON.parse(row.body) as JsonObject;
  for (const { instance_id, effect_id } of listeners)
    advanceInstance(
      tx,
      input.engine,
      instance_id,
      { kind: "event", effect: effect_id, event } as never,
      input.now,
    );
  return listeners.length;
};

/** An event that cannot be delivered waits for an operator; those after it go on. */
export const setEventAside: Operation<{ seq: number; reason: string }, void> = (tx, { seq, reason }) => {
  tx.run("UPDATE event_inbox SET state = 'aside', diagnostic = ? WHERE seq = ?", reason, seq);
};
