/**
 * Assets: models, nodes, compositions and workflows as TypeScript files, read by a parser and never run; a
 * workflow becomes the one workflow document.
 */

export { type ReadyWorkflow, readyWorkflow, readyWorkflowOfTurn } from "./cache.ts";
export { checkProject, type ProjectCheck } from "./check/project.ts";
export { type CodeSource, codeSources } from "./code-sources.ts";
export type { ConstantFile } from "./data/constant.ts";
export { readPolicyFiles } from "./data/policies.ts";
export { findPreset, type Preset, readPresets } from "./data/presets.ts";
export type {
  CommandTarget,
  ComponentDef,
  ModelCandidate,
  ModelFile,
  Port,
  PortType,
  RequestTemplate,
  Resource,
  Retry,
  StepTarget,
  WorkflowDef,
  WorkflowStepDef,
} from "./definition/types.ts";
export type { AssetDiagnostic, DiagnosticCode } from "./diagnostics.ts";
export { type DiscoverOptions, type Discovery, discoverAssets } from "./discover.ts";
export { type ExplainedStep, type Explanation, explainWorkflow } from "./explain.ts";
export { type FoundWorkflow, findWorkflow } from "./find.ts";
export { checkInputs, completeInputs, type InputIssue } from "./inputs.ts";
export {
  ASSET_KINDS,
  type AssetFolder,
  type AssetKind,
  type AssetMeta,
  type AssetRecord,
  folderOf,
  type Stability,
} from "./kinds.ts";
export { documentName, lowerWorkflow } from "./lower/lower.ts";
export { requestBody } from "./lower/requests.ts";
export { isAssetId } from "./meta.ts";
export { readModels } from "./models.ts";
export type { Component, Components, Plan, PlanIssue, PlannedStep } from "./plan/plan.ts";
