/** Agents as they are published, and the calls of those that reason in the workflow process. */
export { Agent, agentReference, type PublishableAgent, readAgent } from "./document.ts";
export { composedInstructions } from "./instructions.ts";
export { AGENT_FAILURES, type AgentFailureCode, type AgentOutcome, type AgentUsage } from "./outcome.ts";
