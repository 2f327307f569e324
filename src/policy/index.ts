export { PolicyLayer } from "../protocol/policy.ts";
export { type CommandCall, type RenderedCommand, renderTemplate } from "../protocol/template/render.ts";
export { CommandTemplate } from "../protocol/template/schema.ts";
export { type AgentNeeds, agentMode, agentQuestion } from "./agent-question.ts";
export { type CallLimits, callLimits } from "./call-limits.ts";
export { coversHost, coversName, coversPath, intersection, overlaps } from "./cover.ts";
export { PoolDocument, TenantDocument } from "./documents.ts";
export { effectivePolicy } from "./effective.ts";
export {
  type ExplainedField,
  type ExplainedPolicy,
  type ExplainedTask,
  explainPolicy,
} from "./explain.ts";
export {
  coversOf,
  deniedOf,
  getValue,
  POLICY_FIELDS,
  type PolicyField,
  type PolicyValue,
  stated,
} from "./fields.ts";
export { type Folded, type LayerKind, layerName, type NamedLayer, narrow } from "./fold.ts";
export { meet } from "./meet.ts";
export {
  type AgentMode,
  type AgentPlacement,
  type AgentQuestion,
  callTarget,
  type Placement,
  placeAgent,
  placeTask,
  type Runtime,
} from "./placement.ts";
export {
  completeProfile,
  type ExecutionProfile,
  LOCAL_PROFILE,
  ProfileDocument,
  UNCOUNTED,
} from "./profile.ts";
export { requestLayer, taskRequestLayer, withoutTemplates } from "./request.ts";
export {
  type ApprovalRule,
  callApproval,
  type EffectivePolicy,
  type PolicyQuestion,
  PUBLISHING,
  resolveTask,
  taskPolicy,
} from "./resolve.ts";
export {
  foldedOf,
  foldLayers,
  instanceLayers,
  type PinnedPool,
  type PinnedTemplate,
  type PolicyRegistry,
  type PolicySnapshot,
  type PolicyTask,
  policyTasks,
  type SnapshotWithDigest,
  snapshotPolicy,
  taskType,
  type WorkspacePolicy,
  workflowLayer,
} from "./snapshot.ts";
export { checkTemplate } from "./template/check.ts";
export { refuseUnheld } from "./unheld.ts";
