import { AGENT_FAILURES, type AgentOutcome } from "../agents/index.ts";
import type { JsonObject } from "../base/json.ts";
import { DIALECT_ERRORS, type EngineInput } from "../engine/index.ts";

/** How an agent's call ended as the input of its task, and what it used for the history. */
export function agentResult(
  effect: string,
  outcome: AgentOutcome,
): { input: EngineInput; status: string; detail: JsonObject } {
  const detail: JsonObject = { usage: { ...outcome.usage } };
  if (!("failed" in outcome))
    return {
      input: { kind: "effect_succeeded", effect, output: outcome.output },
      status: "succeeded",
      detail,
    };
  const { type, status, title } = AGENT_FAILURES[outcome.failed];
  const error = {
    type: `${DIALECT_ERRORS}${type}`,
    status,
    title,
    detail: outcome.detail,
    data: { code: outcome.failed, usage: { ...outcome.usage } },
  };
  return { input: { kind: "effect_failed", effect, error }, status: outcome.failed, detail };
}
