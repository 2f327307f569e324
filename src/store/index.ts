export {
  type AccessToken,
  createAccessToken,
  findAccessToken,
  hasAccessToken,
  listAccessTokens,
  revokeAccessToken,
} from "./access/tokens.ts";
export {
  findAgent,
  listAgents,
  type PublishedAgent,
  publishAgent,
  publishableAgents,
  readSkill,
} from "./agents/agents.ts";
export * from "./approvals/index.ts";
export { archiveHistories } from "./archives/archive-histories.ts";
export * from "./artifacts/index.ts";

export { keepAuditExport, prunableThrough, pruneAudit } from "./audit/prune.ts";
export {
  type AuditRow,
  auditTenants,
  chainOf,
  findAudit,
  listAudit,
  readChain,
  verifyAudit,
} from "./audit/read.ts";
export { appendRefusals, NO_TENANT, type Refusal } from "./audit/refusals.ts";
export * from "./cache/index.ts";
export * from "./instances/advance.ts";
export {
  type ClaimedCall,
  callOwners,
  claimCalls,
  finishCall,
  heldCalls,
  progressOfCall,
  renewCalls,
  tellOfCall,
} from "./instances/calls.ts";
export { cancelInstance, resumeInstance, suspendInstance } from "./instances/cancel.ts";
export { countFailedDelivery, deliverEvent, listensFor, nextEvents } from "./instances/deliver.ts";
export * from "./instances/engine-port.ts";
export { listEvents, type RunEvent } from "./instances/events.ts";
export {
  type InboxEvent,
  listInboxEvents,
  listLanes,
  readInboxEvent,
  repairEvent,
} from "./instances/held-events.ts";
export { receiveEvent } from "./instances/inbox.ts";
export {
  findPublished,
  listPublications,
  type Publication,
  publishDefinition,
} from "./instances/publications.ts";
export { answerQuestion } from "./instances/questions.ts";
export { listUnknownCalls, type ResolveCall, resolveCall } from "./instances/resolve-call.ts";
export { readInstanceStatus } from "./instances/run-status.ts";
export { type Started, type StartInput, startInstance } from "./instances/start.ts";
export type { CallResolution, Reused, StartRun } from "./instances/start-run.ts";
export { dueTimers, fireTimer, fireTimers, nextTimer, postponeTimer } from "./instances/timers.ts";
export * from "./instances/views.ts";
export type { Changed, Joined } from "./job.ts";
export { acceptResults, expireQueued, nextQueueExpiry } from "./leases/accept.ts";
export type { Requirement } from "./leases/admission.ts";
export {
  type ClaimOutcome,
  claimLeases,
  type LeaseIssue,
  type PendingRequest,
  type Waiter,
} from "./leases/claim.ts";
export { explainTasks } from "./leases/explain.ts";
export { mayReadFile } from "./leases/files.ts";
export { type LeaseCaller, tenantOfLease } from "./leases/live.ts";
export { appendChunk, listChunks, listCutStreams, mayLog, streamEnd } from "./leases/logs.ts";
export { failLostSessions, lostPartitions } from "./leases/lost-session.ts";
export { viewLeases, viewQueue } from "./leases/queue-views.ts";
export { hasLateLeases, reapLeases } from "./leases/reap.ts";
export { NotTaken, reportResult } from "./leases/report.ts";
export { type Resolution, type ResolvedAttempt, resolveAttempt } from "./leases/resolve.ts";
export { readShares } from "./leases/shares.ts";
export {
  type LeaseTimes,
  rejectLease,
  renewLease,
  reportProgress,
  startLease,
} from "./leases/start-lease.ts";
export type { AcceptPort } from "./leases/take-result.ts";
export { countStore, type StoreCounts } from "./metrics.ts";
export type { Operation, Query, Topic } from "./operation.ts";
export {
  listOperatorTasks,
  type OperatorTask,
  readOperatorTask,
  resolveOperatorTask,
} from "./operators/operator-tasks.ts";
export * from "./plans/index.ts";
export {
  listPolicyObjects,
  type PolicyKind,
  type PolicyObject,
  policyGeneration,
  publishPolicyObject,
  readPolicyObject,
} from "./policy/objects.ts";
export { policyRegistry } from "./policy/registry.ts";
export { revokePolicyObject } from "./policy/revoke.ts";
export { readPolicy } from "./policy/snapshots.ts";
export { drainSession } from "./runners/drain.ts";
export { enrolRunner } from "./runners/enrol.ts";
export { directivesOf, heartbeat, readHeartbeat, touchSessions } from "./runners/heartbeat.ts";
export {
  approveRunner,
  auditRunner,
  drainRunner,
  quarantineRunner,
  releaseRunner,
} from "./runners/operate.ts";
export { registerRunner } from "./runners/register.ts";
export { offerOf, type SessionRow } from "./runners/session.ts";
export { askForSnapshots, auditSnapshot, forgetSessions, nextAudit } from "./runners/snapshot.ts";
export { findRunner, holderOf, listRunners, type RunnerDetail, type RunnerView } from "./runners/views.ts";
export * from "./runs/index.ts";
export {
  type Arming,
  directSchedule,
  dueSchedules,
  endedSchedules,
  findSchedule,
  listSchedules,
  nextSchedule,
  rearmSchedule,
  type ScheduleKey,
  type ScheduleRow,
  takeSchedule,
} from "./schedules/schedules.ts";
export { hasSecret, listSecrets, putSecret, readSecret, removeSecret } from "./secrets/secrets.ts";
export { readSetting, writeSettingOnce } from "./setting.ts";
export { Store } from "./store.ts";
export { isStoreTrouble } from "./trouble.ts";

export {
  claimDeliveries,
  createWebhook,
  type DueDelivery,
  listWebhooks,
  nextDelivery,
  removeWebhook,
  settleDelivery,
} from "./webhooks/webhooks.ts";
