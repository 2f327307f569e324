import { AGENT_FAILURES, type AgentFailureCode } from "../agents/index.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { DIALECT_ERRORS, type EngineInput, type TaskError, taskError } from "../engine/index.ts";
import type { TaskResult } from "../protocol/index.ts";

/** What a step's expressions see of a command: `{exitCode, output, artifacts, summary, …}`. */
function record(result: TaskResult, texts: { stdout: string; stderr: string }): JsonObject {
  return {
    exitCode: result.exitCode,
    output: (result.output ?? null) as Json,
    artifacts: result.artifactRefs as unknown as Json,
    summary: result.summary,
    durationMs: result.durationMs,
    ...usageOf(result),
    ...texts,
  };
}

/** What an agent used, where the task was one's. */
const usageOf = ({ agentUse }: TaskResult): JsonObject =>
  agentUse === undefined ? {} : { usage: { ...agentUse } };

/** A runner's result as the input of the instance that waits for it. */
export function resultInput(
  effect: string,
  result: TaskResult,
  texts: { stdout: string; stderr: string },
): EngineInput {
  const seen = record(result, texts);
  if (result.status === "succeeded") return { kind: "effect_succeeded", effect, output: seen, record: true };
  const code = result.errorCode ?? "command_failed";
  const data: JsonObject = {
    code,
    exitCode: result.exitCode,
    signal: result.signal,
    runnerId: result.runnerId,
    ...usageOf(result),
  };
  return { kind: "effect_failed", effect, error: errorOf(result, code, data), record: seen };
}

function errorOf({ status: ended, summary: detail }: TaskResult, code: string, data: JsonObject): TaskError {
  if (Object.hasOwn(AGENT_FAILURES, code)) {
    // An agent's ends are the same wherever it ran.
    const { type, status, title } = AGENT_FAILURES[code as AgentFailureCode];
    return { type: `${DIALECT_ERRORS}${type}`, status, title, detail, data };
  }
  if (ended === "timed_out") return taskError("timeout", detail, data);
  return taskError("runtime", detail, data, ended === "cancelled" ? "Cancelled" : "Command failed");
}

/** No runner came in time. */
export function queueTimeoutInput(effect: string, waitedMs: number): EngineInput {
  return {
    kind: "effect_failed",
    effect,
    error: taskError("timeout", `no runner took the task within ${Math.round(waitedMs / 1000)} s`, {
      code: "execution_queue_timeout",
    }),
  };
}

/** The workspace of the session is on a runner that does not come back. */
export function sessionLostInput(effect: string, runnerId: string): EngineInput {
  return {
    kind: "effect_failed",
    effect,
    error: taskError("runtime", `runner ${runnerId}, which holds the workspace of the session, is gone`, {
      code: "execution_session_lost",
      runnerId,
    }),
  };
}

/** What an operator decided about an attempt whose outcome nobody knows. */
export function resolvedInput(
  effect: string,
  as: "succeeded" | "failed",
  lease: { id: string; runnerId: string },
  by: { actor: string; note: string; output: Json },
): EngineInput {
  const summary = `${by.actor} decided that it ${as}${by.note === "" ? "" : `: ${by.note}`}`;
  if (as === "succeeded") {
    const seen: JsonObject = {
      exitCode: 0,
      output: by.output,
      artifacts: [],
      summary,
      durationMs: 0,
      stdout: typeof by.output === "string" ? by.output : "",
      stderr: "",
    };
    return { kind: "effect_succeeded", effect, output: seen };
  }
  const data = { code: "execution_outcome_unknown", runnerId: lease.runnerId, leaseId: lease.id };
  return { kind: "effect_failed", effect, error: taskError("runtime", summary, data) };
}

/** What a step hears whose policy was taken back, or never let it run. */
export function revokedInput(effect: string, reason: string): EngineInput {
  return {
    kind: "effect_failed",
    effect,
    error: taskError("authorization", reason, { code: "execution_policy_denied" }, "Refused by policy"),
  };
}

const APPROVAL_ERRORS: Readonly<Record<string, { type: string; status: number; title: string }>> = {
  approval_rejected: { type: "approval-rejected", status: 403, title: "Rejected" },
  approval_expired: { type: "approval-expired", status: 408, title: "Nobody approved in time" },
  approval_invalid: { type: "approval-invalid", status: 409, title: "What was to be approved has changed" },
};

/** What a step hears whose approval was not given: errors of their own, for a workflow to catch by type. */
export function unapprovedInput(effect: string, code: string, detail: string, approval: string): EngineInput {
  const { type, ...rest } = APPROVAL_ERRORS[code]!;
  return {
    kind: "effect_failed",
    effect,
    error: { type: `${DIALECT_ERRORS}${type}`, ...rest, detail, data: { code, approval } },
  };
}
