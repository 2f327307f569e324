export type { CallOptions } from "./call-options.ts";
export { Orchestrator } from "./orchestrator.ts";
