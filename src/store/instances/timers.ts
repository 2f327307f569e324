import type { Operation, Query, Transaction } from "../operation.ts";
import { openOperatorTask } from "../operators/operator-tasks.ts";
import { advanceInstance } from "./advance.ts";
import type { EnginePort } from "./engine-port.ts";

/** When the next timer is due, or null. */
export const nextTimer: Query<null, number | null> = (tx) =>
  tx.get<{ due: number | null }>("SELECT min(due_at) AS due FROM timer")!.due;

/** Fire what is due, at most `limit`; each once, whoever asks. @returns how many fired */
export const fireTimers: Operation<{ engine: EnginePort; now: number; limit: number }, number> = (
  tx,
  { engine, now, limit },
) => {
  const due = tx.all<TimerRow>(
    "SELECT instance_id, effect_id, kind FROM timer WHERE due_at <= ? ORDER BY due_at LIMIT ?",
    now,
    limit,
  );
  for (const timer of due) fire(tx, engine, timer, now);
  return due.length;
};

interface TimerRow {
  instance_id: string;
  effect_id: string;
  kind: string;
}

/** Fire one timer, if it is still there and due. */
export const fireTimer: Operation<
  { engine: EnginePort; instanceId: string; effectId: string; now: number },
  void
> = (tx, { engine, instanceId, effectId, now }) => {
  const timer = tx.get<TimerRow>(
    "SELECT instance_id, effect_id, kind FROM timer WHERE instance_id = ? AND effect_id = ? AND due_at <= ?",
    instanceId,
    effectId,
    now,
  );
  if (timer !== undefined) fire(tx, engine, timer, now);
};

function fire(tx: Transaction, engine: EnginePort, timer: TimerRow, now: number): void {
  tx.run("DELETE FROM timer WHERE instance_id = ? AND effect_id = ?", timer.instance_id, timer.effect_id);
  const input = { kind: timer.kind, effect: timer.effect_id };
  advanceInstance(tx, engine, timer.instance_id, input as never, now);
}

/** A timer whose instance cannot be advanced waits, so that it holds no other one up; an operator is asked. */
export const postponeTimer: Operation<
  { instanceId: string; effectId: string; until: number; reason: string; now: number },
  void
> = (tx, { instanceId, effectId, until, reason, now }) => {
  tx.run("UPDATE timer SET due_at = ? WHERE instance_id = ? AND effect_id = ?", until, instanceId, effectId);
  const instance = tx.get<{ tenant_id: string; run_id: string }>(
    "SELECT tenant_id, run_id FROM instance WHERE id = ?",
    instanceId,
  );
  if (instance === undefined) return;
  openOperatorTask(tx, {
    tenantId: instance.tenant_id,
    kind: "stuck_timer",
    subject: `timer:${instanceId}/${effectId}`,
    instanceId,
    body: { run_id: instance.run_id, effect: effectId, reason },
    now,
  });
};

/** What is due, oldest first. */
export const dueTimers: Query<
  { now: number; limit: number },
  { instance_id: string; effect_id: string }[]
> = (tx, { now, limit }) =>
  tx.all("SELECT instance_id, effect_id FROM timer WHERE due_at <= ? ORDER BY due_at LIMIT ?", now, limit);
