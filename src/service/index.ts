import { agentOperations } from "./agents/index.ts";
import { approvalOperations } from "./approvals/index.ts";
import { artifactOperations } from "./artifacts/index.ts";
import { assetOperations } from "./assets/index.ts";
import { auditOperations } from "./audit/index.ts";
import { batchOperations } from "./batch/index.ts";
import { cacheOperations } from "./cache/index.ts";
import { callOperations } from "./calls/index.ts";
import { ctxOperations } from "./ctx/index.ts";
import { eventOperations } from "./events/index.ts";
import { health } from "./health.ts";
import { historyOperations } from "./history/index.ts";
import { inboxOperations } from "./inbox/index.ts";
import { leaseOperations } from "./leases/index.ts";
import type { ServiceOperation } from "./operation.ts";
import { planOperations } from "./plans/index.ts";
import { policyOperations } from "./policy/index.ts";
import { queueOperations } from "./queue/index.ts";
import { ready } from "./ready.ts";
import { runnerOperations } from "./runners/index.ts";
import { runOperations } from "./runs/index.ts";
import { scheduleOperations } from "./schedules/index.ts";
import { secretOperations } from "./secrets/index.ts";
import { storeOperations } from "./store/index.ts";
import { tokenOperations } from "./tokens/index.ts";
import { webhookOperations } from "./webhooks/index.ts";
import { workflowOperations } from "./workflows/index.ts";

export type { Orchestration, ServiceContext, Views } from "./context.ts";
export { laneOf } from "./events/lanes.ts";
export { callOperation, type ServiceOperation } from "./operation.ts";
export { type EventLine, eventLine } from "./runs/events.ts";
export type { CutStream, LogLine } from "./runs/logs.ts";
export type { RunStep } from "./runs/steps.ts";
export { isFinished, type RunView } from "./runs/view.ts";
export { identify } from "./tokens/index.ts";

/** Every operation, by its member name here. Surfaces are made from this table. */
export const service = {
  health,
  ready,
  ...assetOperations,
  ...artifactOperations,
  ...runOperations,
  ...planOperations,
  ...cacheOperations,
  ...historyOperations,
  ...batchOperations,
  ...ctxOperations,
  ...workflowOperations,
  ...eventOperations,
  ...callOperations,
  ...storeOperations,
  ...inboxOperations,
  ...approvalOperations,
  ...agentOperations,
  ...policyOperations,
  ...queueOperations,
  ...leaseOperations,
  ...runnerOperations,
  ...auditOperations,
  ...tokenOperations,
  ...webhookOperations,
  ...scheduleOperations,
  ...secretOperations,
} as const;

export type ServiceName = keyof typeof service;
export type OutputOf<Name extends ServiceName> = Awaited<ReturnType<(typeof service)[Name]["run"]>>;
export const OPERATIONS: readonly ServiceOperation[] = Object.values(
  service,
) as unknown as ServiceOperation[];
export { Artifact, ArtifactDigest, knownArtifact, uploadArtifact } from "./artifacts/index.ts";
export type { Call } from "./call.ts";
export { localPrincipal, loopbackPrincipal, type Principal } from "./principal.ts";
export { newRunId } from "./runs/start.ts";
export { RunId } from "./shapes.ts";
