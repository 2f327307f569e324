import { fail } from "../../base/errors.ts";
import type { Operation } from "../operation.ts";
import { advanceInstance, type EnginePort } from "./advance.ts";

/** Cancel a run; repeating it, or cancelling a finished run, changes nothing. @returns the status afterwards */
export const cancelInstance: Operation<
  { engine: EnginePort; tenantId: string; runId: string; reason: string; now: number },
  string
> = (tx, input) => {
  const row = tx.get<{ id: string; status: string; finished_at: number | null }>(
    "SELECT id, status, finished_at FROM instance WHERE tenant_id = ? AND run_id = ?",
    input.tenantId,
    input.runId,
  );
  if (row === undefined)
    throw fail("not_found", `not found: run ${input.runId}`, { hint: "`lightflow run list` shows them" });
  if (row.finished_at !== null) return row.status;
  return advanceInstance(
    tx,
    input.engine,
    row.id,
    { kind: "cancel", reason: input.reason } as never,
    input.now,
  );
};
