import { createRun } from "./create.ts";
import { exportRun } from "./export-run.ts";
import { previewRun } from "./preview.ts";
import { refreshRun } from "./refresh.ts";
import { submitStep } from "./submit.ts";
import { runRequest, runStatus, runTrace } from "./views.ts";

/** Runs that their user takes step by step, and what a run of either kind can be asked. */
export const planOperations = {
  previewRun,
  createRun,
  submitStep,
  refreshRun,
  runStatus,
  runRequest,
  runTrace,
  exportRun,
} as const;
