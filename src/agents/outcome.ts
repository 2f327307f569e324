import type { Json } from "../base/json.ts";

/** The ends of an agent's call that are its own, each an error type that a workflow can catch. */
export const AGENT_FAILURES = {
  /** No answer fitted the schema, whatever it was told. */
  agent_output_invalid: {
    type: "agent-output-invalid",
    status: 422,
    title: "The agent's answer is not valid",
  },
  /** Tokens, cost or turns. */
  agent_budget_exhausted: {
    type: "agent-budget-exhausted",
    status: 429,
    title: "The agent's budget is used up",
  },
  /** The model's provider failed, also in the middle of an answer. */
  agent_model_failed: { type: "agent-model-failed", status: 502, title: "The agent's model failed" },
  /** The command that a repair was for still fails, after the last attempt. */
  agent_repair_failed: { type: "agent-repair-failed", status: 422, title: "The agent did not mend it" },
  /** What an agent changed is not allowed; nothing of it was handed over. */
  workspace_change_denied: {
    type: "workspace-change-denied",
    status: 403,
    title: "The agent's changes are not allowed",
  },
  /** A service that ran the agent says that it failed, or refuses it. */
  agent_service_failed: { type: "agent-service-failed", status: 502, title: "The agent's service failed" },
} as const;
export type AgentFailureCode = keyof typeof AGENT_FAILURES;

export interface AgentUsage {
  /** Answers of the model. */
  turns: number;
  inputTokens: number;
  outputTokens: number;
  /** Null where nothing says what a token costs. */
  costMicros: number | null;
}

export type AgentOutcome =
  | { readonly output: Json; readonly usage: AgentUsage }
  | { readonly failed: AgentFailureCode; readonly detail: string; readonly usage: AgentUsage };
