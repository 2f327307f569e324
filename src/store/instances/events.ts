import type { Json } from "../../base/json.ts";
import type { Query, Transaction } from "../operation.ts";

export interface EventRow {
  event: string;
  step_id: string | null;
  reference: string | null;
  detail: Json;
}

/** One line of a run's history, in the shape of `events.jsonl`. */
export interface RunEvent extends EventRow {
  seq: number;
  ts: number;
  run_id: string;
}

/** Append lines to an instance's history, numbered without gaps. */
export function appendEvents(
  tx: Transaction,
  instanceId: string,
  now: number,
  rows: readonly EventRow[],
): void {
  if (rows.length === 0) return;
  const { event_seq: last } = tx.get<{ event_seq: number }>(
    "UPDATE instance SET event_seq = event_seq + ? WHERE id = ? RETURNING event_seq",
    rows.length,
    instanceId,
  )!;
  insertEvents(tx, instanceId, last - rows.length, now, rows);
}

/** The lines after position `last`; the caller stores the new end. */
export function insertEvents(
  tx: Transaction,
  instanceId: string,
  last: number,
  now: number,
  rows: readonly EventRow[],
): void {
  for (const [offset, row] of rows.entries()) {
    tx.run(
      "INSERT INTO event (instance_id, seq, ts, event, step_id, reference, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
      instanceId,
      last + offset + 1,
      now,
      row.event,
      row.step_id,
      row.reference,
      row.detail === null ? null : JSON.stringify(row.detail),
    );
  }
  if (rows.length > 0) tx.notify("event", instanceId);
}

/** Events of one run after a position, at most `limit`. */
export const listEvents: Query<
  { instanceId: string; runId: string; after: number; limit: number },
  RunEvent[]
> = (tx, { instanceId, runId, after, limit }) =>
  tx
    .all<Omit<RunEvent, "detail" | "run_id"> & { detail: string | null }>(
      "SELECT seq, ts, event, step_id, reference, detail FROM event WHERE instance_id = ? AND seq > ? ORDER BY seq LIMIT ?",
      instanceId,
      after,
      limit,
    )
    .map((row) => ({
      seq: row.seq,
      ts: row.ts,
      event: row.event,
      run_id: runId,
      step_id: row.step_id,
      reference: row.reference,
      detail: row.detail === null ? null : (JSON.parse(row.detail) as Json),
    }));
