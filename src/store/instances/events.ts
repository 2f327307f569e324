import type { Json } from "../../base/json.ts";
import { archivedHistory } from "../archives/archive.ts";
import type { Query, Transaction } from "../operation.ts";
import { queueRunEnd } from "../webhooks/queue.ts";

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

/** Append lines to an instance's history, numbered without gaps; all that one transition says is one row. */
export function appendEvents(
  tx: Transaction,
  instanceId: string,
  now: number,
  rows: readonly EventRow[],
): void {
  if (rows.length === 0) return;
  const key = `event ${instanceId}`;
  const last = (tx.recall<number>(key) ?? lastSeq(tx, instanceId)) + rows.length;
  tx.run(
    "INSERT INTO event (instance_id, last_seq, ts, lines) VALUES (?, ?, ?, ?)",
    instanceId,
    last,
    now,
    JSON.stringify(rows.map(packed)),
  );
  tx.remember(key, last);
  tx.notify("event", instanceId);
  queueRunEnd(tx, instanceId, rows, now);
}

/** Without the names of its members: a line is small, and there are many. */
type PackedRow = [event: string, stepId: string | null, reference: string | null, detail: Json];

const packed = ({ event, step_id, reference, detail }: EventRow): PackedRow => [
  event,
  step_id,
  reference,
  detail,
];

/** The lines of one row of the table. */
export const unpackEvents = (lines: string): EventRow[] =>
  (JSON.parse(lines) as PackedRow[]).map(([event, step_id, reference, detail]) => ({
    event,
    step_id,
    reference,
    detail,
  }));

/** An instance that was just made has no lines. */
export function beginEvents(tx: Transaction, instanceId: string): void {
  tx.remember(`event ${instanceId}`, 0);
}

function lastSeq(tx: Transaction, instanceId: string): number {
  const { last } = tx.get<{ last: number | null }>(
    "SELECT max(last_seq) AS last FROM event WHERE instance_id = ?",
    instanceId,
  )!;
  return last ?? 0;
}

/** Events of one run after a position, at most `limit`. */
export const listEvents: Query<
  { instanceId: string; runId: string; after: number; limit: number },
  RunEvent[]
> = (tx, { instanceId, runId, after, limit }) => {
  // Each row holds at least one line, so `limit` rows hold enough.
  let rows = tx.all<{ last_seq: number; ts: number; lines: string }>(
    "SELECT last_seq, ts, lines FROM event WHERE instance_id = ? AND last_seq > ? ORDER BY last_seq LIMIT ?",
    instanceId,
    after,
    limit,
  );
  if (rows.length === 0) {
    const archived = archivedHistory(tx, instanceId)?.events ?? [];
    rows = archived.filter(({ last_seq }) => last_seq > after).slice(0, limit);
  }
  const events: RunEvent[] = [];
  for (const row of rows) {
    const lines = unpackEvents(row.lines);
    for (const [at, line] of lines.entries()) {
      const seq = row.last_seq - lines.length + at + 1;
      if (seq > after && events.length < limit) events.push({ seq, ts: row.ts, run_id: runId, ...line });
    }
  }
  return events;
};
