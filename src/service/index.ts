import { listAssets } from "./assets/list.ts";
import { sendEvent } from "./events/send.ts";
import { health } from "./health.ts";
import { answerQuestion } from "./inbox/answer.ts";
import type { ServiceOperation } from "./operation.ts";
import { listInbox, listRunners } from "./runners/list.ts";
import { getArtifacts } from "./runs/artifacts.ts";
import { cancelRun } from "./runs/cancel.ts";
import { getEvents } from "./runs/events.ts";
import { getLogs } from "./runs/logs.ts";
import { getRun, getRunWorkflow, listRuns, waitRun } from "./runs/read.ts";
import { startRun } from "./runs/start.ts";
import { startDocument } from "./runs/start-document.ts";
import { getSteps } from "./runs/steps.ts";

import { listWorkflows } from "./workflows/list.ts";
import { publishWorkflow } from "./workflows/publish.ts";
import { startWorkflow } from "./workflows/start.ts";

export type { Orchestration, ServiceContext, Views } from "./context.ts";
export { callOperation, type ServiceOperation } from "./operation.ts";
export type { EventLine } from "./runs/events.ts";
export type { LogLine } from "./runs/logs.ts";
export type { RunStep } from "./runs/steps.ts";
export { isFinished, type RunView } from "./runs/view.ts";

/** Every operation, by its member name here. Surfaces are made from this table. */
export const service = {
  health,
  listAssets,
  startRun,
  startDocument,
  listRuns,
  getRun,
  waitRun,
  getRunWorkflow,
  cancelRun,
  getEvents,
  getLogs,
  getSteps,
  getArtifacts,
  listRunners,
  listInbox,
  sendEvent,
  answerQuestion,
  startWorkflow,
  publishWorkflow,
  listWorkflows,
} as const;

export type ServiceName = keyof typeof service;
export type OutputOf<Name extends ServiceName> = Awaited<ReturnType<(typeof service)[Name]["run"]>>;
export const OPERATIONS: readonly ServiceOperation[] = Object.values(
  service,
) as unknown as ServiceOperation[];
export { newRunId } from "./runs/start.ts";
