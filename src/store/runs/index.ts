export {
  type BatchJobRow,
  type BatchRow,
  countBatchJobs,
  createBatch,
  findBatch,
  listBatches,
  listBatchJobs,
  refuseJob,
} from "./batches.ts";
export { listOutcomes, type Outcome } from "./outcomes.ts";
export { isHeldRun, type Prunable, type PruneFilter, prunable, pruneRun } from "./prune.ts";
export { listRatings, type Rating, rateStep } from "./ratings.ts";
export { listSweepRuns } from "./sweeps.ts";
