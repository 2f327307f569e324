import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Operation, Query } from "../operation.ts";

export interface BatchRow {
  batch_id: string;
  concurrency: number;
  jobs: number;
  root: string;
  created_at: number;
}

export interface BatchJobRow {
  line: number;
  run_id: string;
  job: JsonObject;
  /** Why the job could not be started. */
  refused: string | null;
  /** Phase of its run; null before it was started. */
  status: string | null;
}

/** Keep a file of jobs. @throws Failure `conflict` when the id is taken */
export const createBatch: Operation<
  BatchRow & { tenantId: string; list: readonly { line: number; run_id: string; job: JsonObject }[] },
  null
> = (tx, batch) => {
  const { tenantId, batch_id: id } = batch;
  if (tx.get("SELECT 1 FROM batch WHERE tenant_id = ? AND batch_id = ?", tenantId, id) !== undefined) {
    throw fail("conflict", `conflict: batch ${id} already exists`, {
      hint: `go on with it: lightflow batch resume ${id}`,
    });
  }
  tx.run(
    "INSERT INTO batch (tenant_id, batch_id, concurrency, jobs, root, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    tenantId,
    id,
    batch.concurrency,
    batch.jobs,
    batch.root,
    batch.created_at,
  );
  for (const { line, run_id, job } of batch.list) {
    tx.run(
      "INSERT INTO batch_job (tenant_id, batch_id, line, run_id, job) VALUES (?, ?, ?, ?, ?)",
      tenantId,
      id,
      line,
      run_id,
      JSON.stringify(job),
    );
  }
  return null;
};

/** A job that can never be started says so, and the batch goes on. */
export const refuseJob: Operation<
  { tenantId: string; batchId: string; line: number; reason: string | null },
  null
> = (tx, input) => {
  tx.run(
    "UPDATE batch_job SET refused = ? WHERE tenant_id = ? AND batch_id = ? AND line = ?",
    input.reason,
    input.tenantId,
    input.batchId,
    input.line,
  );
  return null;
};

/** @throws Failure `not_found` */
export const findBatch: Query<{ tenantId: string; batchId: string }, BatchRow> = (
  tx,
  { tenantId, batchId },
) => {
  const row = tx.get<BatchRow>(
    "SELECT batch_id, concurrency, jobs, root, created_at FROM batch WHERE tenant_id = ? AND batch_id = ?",
    tenantId,
    batchId,
  );
  if (row === undefined)
    throw fail("not_found", `not found: batch ${batchId}`, { hint: "`lightflow batch list` shows them" });
  return row;
};

export const listBatches: Query<{ tenantId: string; limit: number }, BatchRow[]> = (tx, input) =>
  tx.all<BatchRow>(
    "SELECT batch_id, concurrency, jobs, root, created_at FROM batch WHERE tenant_id = ? ORDER BY rowid DESC LIMIT ?",
    input.tenantId,
    input.limit,
  );

/** Jobs after a line, with what became of them. */
export const listBatchJobs: Query<
  { tenantId: string; batchId: string; after: number; limit: number },
  BatchJobRow[]
> = (tx, input) =>
  tx
    .all<Omit<BatchJobRow, "job"> & { job: string }>(
      `SELECT line, run_id, job, refused,
         (SELECT status FROM instance WHERE instance.tenant_id = batch_job.tenant_id AND instance.run_id = batch_job.run_id) AS status
       FROM batch_job WHERE tenant_id = ? AND batch_id = ? AND line > ? ORDER BY line LIMIT ?`,
      input.tenantId,
      input.batchId,
      input.after,
      input.limit,
    )
    .map((row) => ({ ...row, job: JSON.parse(row.job) as JsonObject }));

/** How many jobs of a batch stand where, by the phase of their run; `waiting-to-start` and `refused` beside. */
export const countBatchJobs: Query<{ tenantId: string; batchId: string }, Record<string, number>> = (
  tx,
  input,
) =>
  Object.fromEntries(
    tx
      .all<{ status: string; count: number }>(
        `SELECT CASE WHEN refused IS NOT NULL THEN 'refused' ELSE coalesce(
             (SELECT status FROM instance WHERE instance.tenant_id = batch_job.tenant_id AND instance.run_id = batch_job.run_id),
             'waiting-to-start') END AS status, count(*) AS count
         FROM batch_job WHERE tenant_id = ? AND batch_id = ? GROUP BY 1`,
        input.tenantId,
        input.batchId,
      )
      .map(({ status, count }) => [status, count]),
  );
