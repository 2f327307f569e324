import { replayRun, rerunRun, retryRun } from "./again.ts";
import { compareRuns } from "./compare.ts";
import { driftOfRun } from "./drift.ts";
import { pruneRuns } from "./prune.ts";
import { rateRun, runRatings } from "./rate.ts";
import { sweepRuns, sweepTable } from "./sweep.ts";

/** What is done with runs that have ended, and with many of them. */
export const historyOperations = {
  retryRun,
  rerunRun,
  replayRun,
  driftOfRun,
  compareRuns,
  rateRun,
  runRatings,
  pruneRuns,
  sweepRuns,
  sweepTable,
} as const;
