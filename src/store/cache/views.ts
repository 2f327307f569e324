import type { Operation, Query } from "../operation.ts";
import type { KeptArtifact } from "./consult.ts";

export interface StepUse {
  effect_id: string;
  step_id: string;
  reference: string;
  state: "hit" | "miss" | "reused";
  reason: string | null;
  key: string;
  components: Record<string, string>;
  origin_run: string | null;
  artifacts: KeptArtifact[];
  at: number;
}

/** What became of the look-ups of a run, in the order in which its steps were reached. */
export const listStepUses: Query<{ instanceId: string }, StepUse[]> = (tx, { instanceId }) =>
  tx
    .all<Omit<StepUse, "components" | "artifacts"> & { components: string; artifacts: string }>(
      `SELECT effect_id, step_id, reference, state, reason, key, components, origin_run, artifacts, at
       FROM step_use WHERE instance_id = ? ORDER BY at, length(effect_id), effect_id`,
      instanceId,
    )
    .map((row) => ({
      ...row,
      components: JSON.parse(row.components) as Record<string, string>,
      artifacts: JSON.parse(row.artifacts) as KeptArtifact[],
    }));

export interface CacheEntry {
  id: number;
  key: string;
  run_id: string;
  components: Record<string, string>;
  created_at: number;
}

/** What is kept of one step from other runs, newest first. */
export const listEntriesOfStep: Query<
  { tenantId: string; workflow: string; reference: string; besides: string; until: number; limit: number },
  CacheEntry[]
> = (tx, input) =>
  tx
    .all<Omit<CacheEntry, "components"> & { components: string }>(
      `SELECT id, key, run_id, components, created_at FROM step_cache
       WHERE tenant_id = ? AND workflow = ? AND reference = ? AND run_id <> ? AND created_at <= ? ORDER BY id DESC LIMIT ?`,
      input.tenantId,
      input.workflow,
      input.reference,
      input.besides,
      input.until,
      input.limit,
    )
    .map((row) => ({ ...row, components: JSON.parse(row.components) as Record<string, string> }));

export const countCache: Query<{ tenantId: string }, { entries: number; bytes: number }> = (
  tx,
  { tenantId },
) => {
  const row = tx.get<{ entries: number; bytes: number | null }>(
    "SELECT count(*) AS entries, sum(length(output)) AS bytes FROM step_cache WHERE tenant_id = ?",
    tenantId,
  )!;
  return { entries: row.entries, bytes: row.bytes ?? 0 };
};

/** Forget what was not used since a time. @returns how many outputs */
export const pruneCache: Operation<{ tenantId: string; usedBefore: number }, number> = (tx, input) =>
  tx.run("DELETE FROM step_cache WHERE tenant_id = ? AND used_at < ?", input.tenantId, input.usedBefore);
