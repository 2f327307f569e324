export type { CallOptions } from "./call-options.ts";
export { Orchestrator, type OrchestratorOptions, type StartRun } from "./orchestrator.ts";
