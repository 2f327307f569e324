export type { CallOptions } from "./call-options.ts";
export { Orchestrator, type OrchestratorOptions } from "./orchestrator.ts";
