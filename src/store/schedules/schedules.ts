import { fail } from "../../base/errors.ts";
import { appendAudit } from "../audit/append.ts";
import { advanceInstance } from "../instances/advance.ts";
import type { EnginePort } from "../instances/engine-port.ts";
import { type StartInput, startInstance } from "../instances/start.ts";
import type { Operation, Query, Transaction } from "../operation.ts";

export interface ScheduleRow {
  tenant_id: string;
  namespace: string;
  name: string;
  version: string;
  digest: string;
  kind: "cron" | "every" | "after" | "on";
  /** JSON of what the kind needs. */
  spec: string;
  state: "active" | "paused";
  next_at: number | null;
  running: string | null;
  last_due: number | null;
  last_run: string | null;
  diagnostic: string | null;
  updated_at: number;
}

export interface ScheduleKey {
  tenantId: string;
  namespace: string;
  name: string;
}

/** A schedule as it begins: its first due time, or for `on` the run that listens. */
export interface Arming {
  kind: ScheduleRow["kind"];
  spec: string;
  nextAt: number | null;
  listener: StartInput | null;
}

function readSchedule(tx: Pick<Transaction, "get">, key: ScheduleKey): ScheduleRow | undefined {
  return tx.get<ScheduleRow>(
    "SELECT * FROM schedule WHERE tenant_id = ? AND namespace = ? AND name = ?",
    key.tenantId,
    key.namespace,
    key.name,
  );
}

/** Put the schedule of a version that was just published in the place of the older one's; null takes it away. */
export function replaceSchedule(
  tx: Transaction,
  engine: EnginePort,
  key: ScheduleKey,
  published: { version: string; digest: string },
  arming: Arming | null,
  now: number,
): void {
  const older = readSchedule(tx, key);
  if (older !== undefined) {
    stopListening(tx, engine, older, now);
    tx.run(
      "DELETE FROM schedule WHERE tenant_id = ? AND namespace = ? AND name = ?",
      key.tenantId,
      key.namespace,
      key.name,
    );
  }
  if (arming === null) return;
  const listener = arming.listener === null ? null : startInstance(tx, arming.listener);
  tx.run(
    `INSERT INTO schedule (tenant_id, namespace, name, version, digest, kind, spec, state, next_at, running, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'active', ?, ?, ?)`,
    key.tenantId,
    key.namespace,
    key.name,
    published.version,
    published.digest,
    arming.kind,
    arming.spec,
    arming.nextAt,
    listener?.runId ?? null,
    now,
  );
  tx.notify("schedule", key.tenantId);
}

/** The run that listens for an `on` schedule ends with it. */
function stopListening(tx: Transaction, engine: EnginePort, row: ScheduleRow, now: number): void {
  if (row.kind !== "on" || row.running === null) return;
  const listener = tx.get<{ id: string }>(
    "SELECT id FROM instance WHERE tenant_id = ? AND run_id = ?",
    row.tenant_id,
    row.running,
  );
  if (listener !== undefined)
    advanceInstance(
      tx,
      engine,
      listener.id,
      { kind: "cancel", reason: "the schedule was changed" } as never,
      now,
    );
}

/** When the next schedule is due, or null. */
export const nextSchedule: Query<null, number | null> = (tx) =>
  tx.get<{ due: number | null }>(
    "SELECT min(next_at) AS due FROM schedule WHERE state = 'active' AND next_at IS NOT NULL",
  )!.due;

/** Schedules that are due, oldest first. */
export const dueSchedules: Query<{ now: number; limit: number }, ScheduleRow[]> = (tx, { now, limit }) =>
  tx.all<ScheduleRow>(
    "SELECT * FROM schedule WHERE state = 'active' AND next_at IS NOT NULL AND next_at <= ? ORDER BY next_at LIMIT ?",
    now,
    limit,
  );

/** `after` schedules whose run has ended. */
export const endedSchedules: Query<null, (ScheduleRow & { finished_at: number })[]> = (tx) =>
  tx.all(
    `SELECT schedule.*, instance.finished_at FROM schedule JOIN instance ON instance.id = schedule.running
     WHERE schedule.kind = 'after' AND schedule.running IS NOT NULL AND instance.finished_at IS NOT NULL`,
  );

/**
 * Take one due time: start the run it stands for, or let it pass, and set the next one. The due time that was looked at
 * must still be the row's: of two orchestrators, or after a crash, one takes it.
 * @returns the run that was started, or null
 */
export const takeSchedule: Operation<
  {
    row: ScheduleRow;
    /** Null to let it pass; `reason` says why. */
    start: StartInput | null;
    due: number;
    reason: string | null;
    nextAt: number | null;
    now: number;
  },
  string | null
> = (tx, { row, start, due, reason, nextAt, now }) => {
  const { tenant_id: tenantId, namespace, name } = row;
  const current = readSchedule(tx, { tenantId, namespace, name });
  if (current?.state !== "active" || current.next_at !== row.next_at || current.digest !== row.digest)
    return null;
  const started = start === null ? null : startInstance(tx, start);
  const running = row.kind === "after" ? (started?.instanceId ?? null) : null;
  tx.run(
    "UPDATE schedule SET next_at = ?, running = ?, last_due = ?, last_run = coalesce(?, last_run), diagnostic = ?, updated_at = ? WHERE tenant_id = ? AND namespace = ? AND name = ?",
    nextAt,
    running,
    due,
    started?.runId ?? null,
    reason,
    now,
    tenantId,
    namespace,
    name,
  );
  tx.notify("schedule", tenantId);
  return started?.runId ?? null;
};

/** The run of an `after` schedule has ended: the next one is due its duration later. */
export const rearmSchedule: Operation<{ row: ScheduleRow; nextAt: number; now: number }, boolean> = (
  tx,
  { row, nextAt, now },
) => {
  const changed = tx.run(
    "UPDATE schedule SET next_at = ?, running = NULL, updated_at = ? WHERE tenant_id = ? AND namespace = ? AND name = ? AND running = ?",
    nextAt,
    now,
    row.tenant_id,
    row.namespace,
    row.name,
    row.running,
  );
  if (changed > 0) tx.notify("schedule", row.tenant_id);
  return changed > 0;
};

/**
 * Pause a schedule, or let it go on from now: what was due meanwhile is not caught up. Repeating it changes nothing.
 * @throws Failure `not_found`
 */
export const directSchedule: Operation<
  {
    engine: EnginePort;
    key: ScheduleKey;
    state: ScheduleRow["state"];
    /** For going on. */
    nextAt: number | null;
    listener: StartInput | null;
    actor: string;
    now: number;
  },
  void
> = (tx, { engine, key, state, nextAt, listener, actor, now }) => {
  const row = readSchedule(tx, key);
  if (row === undefined) throw noSchedule(key);
  if (row.state === state) return;
  if (state === "paused") stopListening(tx, engine, row, now);
  const listening = state === "active" && listener !== null ? startInstance(tx, listener).runId : null;
  // The run of an `after` schedule goes on, and its end makes the next due time when the schedule is active again.
  const running = row.kind === "after" ? row.running : listening;
  tx.run(
    "UPDATE schedule SET state = ?, next_at = ?, running = ?, updated_at = ? WHERE tenant_id = ? AND namespace = ? AND name = ?",
    state,
    state === "active" && running === null ? nextAt : null,
    running,
    now,
    key.tenantId,
    key.namespace,
    key.name,
  );
  appendAudit(tx, {
    tenantId: key.tenantId,
    now,
    actor,
    action: `schedule.${state === "paused" ? "paused" : "resumed"}`,
    object: `schedule:${key.namespace}/${key.name}`,
    body: { version: row.version },
  });
  tx.notify("schedule", key.tenantId);
};

export const findSchedule: Query<ScheduleKey, ScheduleRow> = (tx, key) => {
  const row = readSchedule(tx, key);
  if (row === undefined) throw noSchedule(key);
  return row;
};

const noSchedule = ({ namespace, name }: ScheduleKey) =>
  fail("not_found", `not found: a schedule of ${namespace}/${name}`, {
    hint: "`lightflow workflow schedules` shows them",
  });

export const listSchedules: Query<string, ScheduleRow[]> = (tx, tenantId) =>
  tx.all("SELECT * FROM schedule WHERE tenant_id = ? ORDER BY namespace, name", tenantId);
