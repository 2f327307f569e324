import { isObject, type Json, type JsonObject } from "../../base/json.ts";
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
    JSON.stringify(pack(rows)),
  );
  tx.remember(key, last);
  tx.notify("event", instanceId);
  queueRunEnd(tx, instanceId, rows, now);
}

/** Without the names of its members: a line is small, and there are many. */
type PackedLine = [event: string, stepId: string | null, reference: string | null, detail: Json];
/** The two lines of a step that succeeded as soon as it had begun: most of what pure tasks say. */
type PackedStep = [at: 0, stepId: string | null, reference: string | null, kind: Json, durationMs: Json];

function pack(rows: readonly EventRow[]): (PackedLine | PackedStep)[] {
  const packed: (PackedLine | PackedStep)[] = [];
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!;
    const { event, step_id, reference, detail } = row;
    const next = rows[at + 1];
    if (next !== undefined && isWholeStep(row, next)) {
      packed.push([0, step_id, reference, only(detail, "kind")!, only(next.detail, "duration_ms")!]);
      at++;
    } else packed.push([event, step_id, reference, detail]);
  }
  return packed;
}

const isWholeStep = (row: EventRow, next: EventRow): boolean =>
  row.event === "step.started" &&
  next.event === "step.succeeded" &&
  row.reference === next.reference &&
  row.step_id === next.step_id &&
  only(row.detail, "kind") !== undefined &&
  only(next.detail, "duration_ms") !== undefined;

/** The value of a member that has none beside it. */
function only(detail: Json, member: string): Json | undefined {
  if (!isObject(detail)) return undefined;
  for (const name in detail) if (name !== member) return undefined;
  return (detail as JsonObject)[member];
}

/** The lines of one row of the table. */
function unpackEvents(lines: string): EventRow[] {
  const rows: EventRow[] = [];
  for (const line of JSON.parse(lines) as (PackedLine | PackedStep)[]) {
    const [event, step_id, reference, detail] = line;
    if (event !== 0) rows.push({ event, step_id, reference, detail });
    else {
      rows.push({ event: "step.started", step_id, reference, detail: { kind: detail } });
      rows.push({ event: "step.succeeded", step_id, reference, detail: { duration_ms: line[4]! } });
    }
  }
  return rows;
}

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
  const events: RunEvent[] = [];
  /** @returns whether there is room for more */
  const take = (row: { last_seq: number; ts: number; lines: string }): boolean => {
    const lines = unpackEvents(row.lines);
    const first = row.last_seq - lines.length + 1;
    for (let at = Math.max(0, after + 1 - first); at < lines.length; at++) {
      if (events.length === limit) return false;
      events.push({ seq: first + at, ts: row.ts, run_id: runId, ...lines[at]! });
    }
    return events.length < limit;
  };
  // A row may hold one line or thousands: a few at a time, and only as many as are asked for.
  for (let position = after; ; ) {
    const rows = tx.all<{ last_seq: number; ts: number; lines: string }>(
      "SELECT last_seq, ts, lines FROM event WHERE instance_id = ? AND last_seq > ? ORDER BY last_seq LIMIT ?",
      instanceId,
      position,
      Math.min(limit, ROWS),
    );
    if (!rows.every(take)) return events;
    if (rows.length < Math.min(limit, ROWS)) break;
    position = rows.at(-1)!.last_seq;
  }
  if (events.length === 0) {
    const archived = archivedHistory(tx, instanceId)?.events ?? [];
    archived.filter(({ last_seq }) => last_seq > after).every(take);
  }
  return events;
};

/** Rows of the table that are read together. */
const ROWS = 32;
