/**
 * The workflow document (Open/Serverless Workflow DSL 1.0.3, its renamed successor's newer items, and the dialect):
 * one closed schema, reading from YAML and JSON, checks at publication, the digest.
 */

export { escapeToken, joinPointer, pointerTokens, valueAt } from "../base/pointer.ts";
export type { CheckOptions } from "./check.ts";
export { checkDocument } from "./check.ts";
export { type CronSchedule, parseCron } from "./cron.ts";
export type { Diagnostic, DiagnosticCode, Position, Positions } from "./diagnostic.ts";
export { diagnosticText, withPositions } from "./diagnostic.ts";
export { type Difference, diffDocuments } from "./diff.ts";
export { documentDigest } from "./digest.ts";
export { durationMs } from "./duration.ts";
export { featuresOf, type UsedFeature, unsupportedFeatures } from "./features.ts";
export { callKind, isCall, isTask, kindOf, runKind, taskKind } from "./kind.ts";
export type { LoadedDocument, LoadOptions } from "./load.ts";
export { documentInvalid, inspectDocument, loadDocument, loadValue } from "./load.ts";
export * from "./schema/index.ts";
export { matchesSchema } from "./validate.ts";
export { childLists, type TaskSite, walkLists, walkTasks } from "./walk.ts";
