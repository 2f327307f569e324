import { getArtifacts } from "./artifacts.ts";
import { cancelRun } from "./cancel.ts";
import { getEvents } from "./events.ts";
import { getLogs } from "./logs.ts";
import { pauseRun, resumeRun } from "./pause.ts";
import { getRun, getRunWorkflow, listRuns, waitRun } from "./read.ts";
import { startRun } from "./start.ts";
import { startDocument } from "./start-document.ts";
import { getSteps } from "./steps.ts";

export const runOperations = {
  startRun,
  startDocument,
  listRuns,
  getRun,
  waitRun,
  getRunWorkflow,
  cancelRun,
  pauseRun,
  resumeRun,
  getEvents,
  getLogs,
  getSteps,
  getArtifacts,
} as const;
