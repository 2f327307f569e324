import type { Operation, Query } from "../operation.ts";
import { advanceInstance, type EnginePort } from "./advance.ts";

/** When the next timer is due, or null. */
export const nextTimer: Query<null, number | null> = (tx) =>
  tx.get<{ due: number | null }>("SELECT min(due_at) AS due FROM timer")!.due;

/** Fire what is due, at most `limit`; each once, whoever asks. @returns how many fired */
export const fireTimers: Operation<{ engine: EnginePort; now: number; limit: number }, number> = (
  tx,
  input,
) => {
  const due = tx.all<{ instance_id: string; effect_id: string; kind: string }>(
    "SELECT instance_id, effect_id, kind FROM timer WHERE due_at <= ? ORDER BY due_at LIMIT ?",
    input.now,
    input.limit,
  );
  for (const timer of due) {
    tx.run("DELETE FROM timer WHERE instance_id = ? AND effect_id = ?", timer.instance_id, timer.effect_id);
    advanceInstance(
      tx,
      input.engine,
      timer.instance_id,
      { kind: timer.kind, effect: timer.effect_id } as never,
      input.now,
    );
  }
  return due.length;
};
