import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query } from "../operation.ts";
import { poisonedSubject } from "./deliver.ts";

/** An event as it came in, and what became of it. */
export interface InboxEvent {
  seq: number;
  source: string;
  id: string;
  type: string;
  lane: string | null;
  subject: string | null;
  state: "pending" | "delivered" | "aside" | "blocked" | "dropped";
  tries: number;
  run_id: string | null;
  diagnostic: string | null;
  received_at: number;
}

const COLUMNS =
  "seq, source, event_id AS id, type, lane, substr(aggregate, length(source) + 2) AS subject, state, tries, run_id, diagnostic, received_at";

/** Events newest first; `poisoned`: those set aside and those that wait for them, oldest first. */
export const listInboxEvents: Query<
  { tenantId: string; poisoned: boolean; lane: string | null; limit: number },
  InboxEvent[]
> = (tx, { tenantId, poisoned, lane, limit }) =>
  tx.all<InboxEvent>(
    `SELECT ${COLUMNS} FROM event_inbox WHERE tenant_id = ? AND (? IS NULL OR lane = ?)
     ${poisoned ? "AND state IN ('aside', 'blocked') ORDER BY seq" : "ORDER BY seq DESC"} LIMIT ?`,
    tenantId,
    lane,
    lane,
    limit,
  );

/** One event with its content. @throws Failure `not_found` */
export const readInboxEvent: Query<{ tenantId: string; seq: number }, InboxEvent & { event: JsonObject }> = (
  tx,
  { tenantId, seq },
) => {
  const row = tx.get<InboxEvent & { body: string }>(
    `SELECT ${COLUMNS}, body FROM event_inbox WHERE tenant_id = ? AND seq = ?`,
    tenantId,
    seq,
  );
  if (row === undefined)
    throw fail("not_found", `not found: event ${seq}`, { hint: "`lightflow event list` shows them" });
  const { body, ...shown } = row;
  return { ...shown, event: JSON.parse(body) as JsonObject };
};

/** How far a lane has been worked off. */
export interface LaneOffset {
  lane: string;
  /** The position of the newest event. */
  last: number;
  /** Everything up to here is settled or set aside. */
  offset: number;
  pending: number;
  held: number;
}

export const listLanes: Query<string, LaneOffset[]> = (tx, tenantId) =>
  tx.all<LaneOffset>(
    `SELECT lane, max(seq) AS last, coalesce(min(CASE WHEN state = 'pending' THEN seq END) - 1, max(seq)) AS offset,
       sum(state = 'pending') AS pending, sum(state IN ('aside', 'blocked')) AS held
     FROM event_inbox WHERE tenant_id = ? AND lane IS NOT NULL GROUP BY lane ORDER BY lane`,
    tenantId,
  );

export interface RepairEvent {
  tenantId: string;
  seq: number;
  /** Handle it again, with other data, or give it up. */
  as: { kind: "retry" } | { kind: "replace"; data: Json } | { kind: "drop" };
  actor: string;
  now: number;
}

/**
 * An operator decides about an event that was set aside; those of its aggregate that waited for it go on, in order.
 * @throws Failure `not_found`, `conflict` when it is not set aside
 */
export const repairEvent: Operation<RepairEvent, InboxEvent> = (tx, repair) => {
  const { tenantId, seq, actor, now } = repair;
  const row = tx.get<{ state: string; body: string; aggregate: string | null; lane: string | null }>(
    "SELECT state, body, aggregate, lane FROM event_inbox WHERE tenant_id = ? AND seq = ?",
    tenantId,
    seq,
  );
  if (row === undefined)
    throw fail("not_found", `not found: event ${seq}`, {
      hint: "`lightflow event list --poisoned` shows them",
    });
  if (row.state !== "aside") throw fail("conflict", `event ${seq} is not set aside: it is ${row.state}`);
  const event = JSON.parse(row.body) as JsonObject;
  const body = repair.as.kind === "replace" ? JSON.stringify({ ...event, data: repair.as.data }) : row.body;
  tx.run(
    "UPDATE event_inbox SET state = ?, tries = 0, body = ? WHERE seq = ?",
    repair.as.kind === "drop" ? "dropped" : "pending",
    body,
    seq,
  );
  if (row.aggregate !== null)
    tx.run(
      "UPDATE event_inbox SET state = 'pending' WHERE tenant_id = ? AND aggregate = ? AND lane IS ? AND state = 'blocked'",
      tenantId,
      row.aggregate,
      row.lane,
    );
  tx.run(
    "UPDATE operator_task SET state = 'resolved', resolution = ?, resolved_at = ? WHERE tenant_id = ? AND kind = 'poisoned_event' AND subject = ? AND state = 'open'",
    `${repair.as.kind} by ${actor}`,
    now,
    tenantId,
    poisonedSubject(seq),
  );
  appendAudit(tx, {
    tenantId,
    now,
    actor,
    action: "event.repaired",
    object: `event:${seq}`,
    body: { as: repair.as.kind, source: event["source"] ?? null, id: event["id"] ?? null },
  });
  tx.notify("inbox", tenantId);
  return tx.get<InboxEvent>(`SELECT ${COLUMNS} FROM event_inbox WHERE seq = ?`, seq)!;
};
