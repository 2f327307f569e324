export { Orchestrator, type OrchestratorOptions, type StartRun } from "./orchestrator.ts";
