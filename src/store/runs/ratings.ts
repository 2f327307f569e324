import type { Operation, Query } from "../operation.ts";

export interface Rating {
  step_id: string;
  score: number;
  note: string | null;
  actor: string;
  created_at: number;
}

/** Keep a judgement; later ones stand beside earlier ones. */
export const rateStep: Operation<Rating & { instanceId: string }, null> = (tx, rating) => {
  tx.run(
    "INSERT INTO rating (instance_id, step_id, score, note, actor, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    rating.instanceId,
    rating.step_id,
    rating.score,
    rating.note,
    rating.actor,
    rating.created_at,
  );
  return null;
};

export const listRatings: Query<{ instanceId: string }, Rating[]> = (tx, { instanceId }) =>
  tx.all<Rating>(
    "SELECT step_id, score, note, actor, created_at FROM rating WHERE instance_id = ? ORDER BY id",
    instanceId,
  );
