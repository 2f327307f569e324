import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { Failure, fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import {
  type BatchRow,
  countBatchJobs,
  createBatch as createBatchOperation,
  findBatch,
  listBatches as listBatchesQuery,
  listBatchJobs,
  refuseJob,
} from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { startAsset } from "../runs/start.ts";
import { After, AnyObject, closed, Integer, Limit, named, nullable, RunId, Text, Time } from "../shapes.ts";

const BatchId = Type.String({ pattern: "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,110}$" });
/** Jobs of one batch: a file that one request still carries. */
const MOST = 100_000;

const Job = closed({
  workflow_asset_id: Type.String({ minLength: 1, maxLength: 256 }),
  inputs: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  preset: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  run_id: Type.Optional(RunId),
});

const Batch = named(
  "Batch",
  closed({
    batch_id: Text,
    concurrency: Integer,
    created_at: Time,
    jobs: Integer,
    waiting: Integer,
    running: Integer,
    succeeded: Integer,
    failed: Integer,
    cancelled: Integer,
    refused: Integer,
  }),
);

function batchView(context: ServiceContext, row: BatchRow) {
  const counts = context.views.read(countBatchJobs, { tenantId: context.tenantId, batchId: row.batch_id });
  const count = (...names: string[]) => names.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
  return {
    batch_id: row.batch_id,
    concurrency: row.concurrency,
    created_at: isoTime(row.created_at),
    jobs: row.jobs,
    waiting: count("waiting-to-start"),
    running: count("pending", "running", "waiting", "suspended"),
    succeeded: count("completed"),
    failed: count("faulted"),
    cancelled: count("cancelled"),
    refused: count("refused"),
  };
}

const createBatch = defineOperation({
  name: "batch.create",
  scope: "run",
  summary: "Keep a list of jobs; each is started by `batch.start-job`",
  method: "POST",
  path: "/batches",
  input: closed({
    batch_id: BatchId,
    concurrency: Type.Integer({ minimum: 1, maximum: 1024 }),
    jobs: Type.Array(Job, { minItems: 1, maxItems: MOST }),
    project_root: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  }),
  output: Batch,
  async run(context, input) {
    if (input.project_root !== undefined && !context.trustsPaths) {
      throw fail("forbidden", "only a caller on the Unix socket may name a project directory");
    }
    const ids = new Set<string>();
    const list = input.jobs.map((job, at) => {
      const run_id = job.run_id ?? `${input.batch_id}.${at + 1}`;
      if (ids.has(run_id))
        throw fail("invalid_request", `line ${at + 1}: the run id ${run_id} stands there twice`);
      ids.add(run_id);
      return { line: at + 1, run_id, job: job as unknown as JsonObject };
    });
    const row: BatchRow = {
      batch_id: input.batch_id,
      concurrency: input.concurrency,
      jobs: list.length,
      root: input.project_root ?? context.root,
      created_at: context.clock.wall(),
    };
    await context.records.write(createBatchOperation, { ...row, tenantId: context.tenantId, list });
    return batchView(context, row);
  },
});

const startBatchJob = defineOperation({
  name: "batch.start-job",
  scope: "run",
  summary: "Start one job of a batch; a repeat finds the run that it made",
  method: "POST",
  path: "/batches/:batch_id/jobs/:line/start",
  input: closed({ batch_id: BatchId, line: Type.Integer({ minimum: 1 }) }),
  output: closed({ run_id: Text, refused: nullable(Text) }),
  async run(context, input) {
    const { tenantId } = context;
    const batch = context.views.read(findBatch, { tenantId, batchId: input.batch_id });
    const [row] = context.views.read(listBatchJobs, {
      tenantId,
      batchId: input.batch_id,
      after: input.line - 1,
      limit: 1,
    });
    if (row?.line !== input.line)
      throw fail("not_found", `not found: line ${input.line} of batch ${input.batch_id}`);
    if (row.status !== null) return { run_id: row.run_id, refused: null };
    const job = row.job as unknown as { workflow_asset_id: string; inputs?: JsonObject; preset?: string };
    let refused: string | null = null;
    try {
      await startAsset(
        { ...context, root: batch.root },
        {
          workflow_asset_id: job.workflow_asset_id,
          inputs: (job.inputs ?? {}) as Json,
          ...(job.preset === undefined ? {} : { preset: job.preset }),
          run_id: row.run_id,
          idempotent: true,
        },
      );
    } catch (error) {
      // What will never be taken is said with the job; what may go another time ends the call.
      if (!(error instanceof Failure) || error.retry !== "never") throw error;
      refused = error.message;
    }
    if (refused !== row.refused)
      await context.records.write(refuseJob, {
        tenantId,
        batchId: input.batch_id,
        line: input.line,
        reason: refused,
      });
    return { run_id: row.run_id, refused };
  },
});

const showBatch = defineOperation({
  name: "batch.show",
  scope: "read",
  summary: "How far a batch is",
  method: "GET",
  path: "/batches/:batch_id",
  input: closed({ batch_id: BatchId }),
  output: Batch,
  run(context, input) {
    const row = context.views.read(findBatch, { tenantId: context.tenantId, batchId: input.batch_id });
    return batchView(context, row);
  },
});

const batchJobs = defineOperation({
  name: "batch.jobs",
  scope: "read",
  summary: "The jobs of a batch after a line, with what became of them",
  method: "GET",
  path: "/batches/:batch_id/jobs",
  input: closed({ batch_id: BatchId, after: After, limit: Limit }),
  output: closed({
    jobs: Type.Array(
      closed({
        line: Integer,
        run_id: Text,
        job: AnyObject,
        refused: nullable(Text),
        status: nullable(Text),
      }),
    ),
  }),
  run(context, input) {
    const { tenantId } = context;
    context.views.read(findBatch, { tenantId, batchId: input.batch_id });
    return {
      jobs: context.views.read(listBatchJobs, {
        tenantId,
        batchId: input.batch_id,
        after: input.after ?? 0,
        limit: input.limit ?? 1000,
      }),
    };
  },
});

const listBatches = defineOperation({
  name: "batch.list",
  scope: "read",
  summary: "Batches, newest first",
  method: "GET",
  path: "/batches",
  input: closed({ limit: Limit }),
  output: closed({ batches: Type.Array(Batch) }),
  run: (context, input) => ({
    batches: context.views
      .read(listBatchesQuery, { tenantId: context.tenantId, limit: input.limit ?? 50 })
      .map((row) => batchView(context, row)),
  }),
});

export const batchOperations = { createBatch, startBatchJob, showBatch, batchJobs, listBatches } as const;
