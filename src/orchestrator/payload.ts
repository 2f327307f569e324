import { Failure, fail } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { type Effect, taskError } from "../engine/index.ts";
import { type EffectivePolicy, type PolicySnapshot, policyRequest, resolvePolicy } from "../policy/index.ts";
import type { Mount, TaskPayload } from "../protocol/index.ts";
import type { InstanceRow, QueuedRequest } from "../store/index.ts";

type RunEffect = Extract<Effect, { kind: "run" }>;

/**
 * A runner effect as a queued request: the task's own payload under the resolved policy, never the definition. What
 * policy refuses becomes an input that fails the step.
 */
export function queueRequest(
  effect: RunEffect,
  row: InstanceRow,
  policy: PolicySnapshot,
  now: number,
): QueuedRequest | { denied: { kind: string } } {
  const { request } = effect;
  let payload: TaskPayload;
  let concurrency: QueuedRequest["concurrency"];
  try {
    const asked = policyRequest(request.light);
    const effective = resolvePolicy(
      policy,
      request.timeout_ms === null ? asked : { ...asked, timeoutMs: request.timeout_ms },
      LIMITS.taskTimeoutMs,
    );
    payload = taskPayload(effect, row, effective);
    concurrency = concurrencyOf(request.light);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const refused = taskError("authorization", error.message, { code: error.code }, "Refused by policy");
    return { denied: { kind: "effect_failed", effect: effect.id, error: refused } as { kind: string } };
  }
  return {
    id: newId(),
    requirement: {
      runnerPool: payload.runnerPool,
      executionProfile: payload.executionProfile,
      capabilities: payload.capabilities,
      sandboxMode: payload.sandbox.mode,
    },
    payload: payload as unknown as JsonObject,
    workspaceKey: payload.workspace.mode === "session" ? payload.workspace.key : null,
    repeatable: request.light["repeatable"] === true,
    priority: typeof request.light["priority"] === "number" ? request.light["priority"] : 0,
    concurrency,
    expiresAt: now + ((request.light["queueTimeoutMs"] as number | undefined) ?? LIMITS.queueTimeoutMs),
  };
}

/** The key was evaluated with the rest of the task's metadata, so it may differ from run to run. */
function concurrencyOf(light: JsonObject): QueuedRequest["concurrency"] {
  const asked = light["concurrency"];
  if (!isObject(asked)) return null;
  const { key, limit } = asked;
  if (typeof key !== "string" || key === "" || key.length > 256) {
    throw fail("execution_policy_denied", "the concurrency key must be a text of 1 to 256 characters");
  }
  return { key, limit: typeof limit === "number" ? limit : 1 };
}

function taskPayload(effect: RunEffect, row: InstanceRow, policy: EffectivePolicy): TaskPayload {
  const { request } = effect;
  const { light } = request;
  const session = light["workspace"] === "session";
  return {
    taskType: request.type,
    runnerPool: policy.runnerPool,
    executionProfile: policy.executionProfile,
    capabilities: [...policy.capabilities],
    ...(policy.commandTemplateId === undefined ? {} : { commandTemplateId: policy.commandTemplateId }),
    deadlineMs: policy.taskMs,
    task: {
      type: request.type,
      command: request.command,
      arguments: request.arguments,
      environment: request.environment,
      ...(request.stdin === undefined ? {} : { stdin: request.stdin }),
    },
    workspace: session ? { mode: "session", key: row.id } : { mode: "ephemeral", key: newId() },
    mounts: ((light["mounts"] ?? []) as JsonObject[]).map((mount) => hostMount(mount, policy)),
    sandbox: { mode: policy.sandboxMode },
    network: policy.network,
    artifacts: (light["artifacts"] ?? []) as TaskPayload["artifacts"],
    output: light["output"] === "json" ? "json" : "none",
    limits: {
      logBytes: Math.min(LIMITS.taskLogBytes, policy.logBytes),
      outputBytes: LIMITS.taskOutputBytes,
      artifactBytes: LIMITS.artifactBytes,
      artifactCount: LIMITS.artifactCount,
    },
  };
}

function hostMount(mount: JsonObject, policy: EffectivePolicy): Mount {
  const source: Json | undefined = mount["source"];
  if (typeof source !== "string" || !source.startsWith("/") || source.split("/").includes("..")) {
    throw fail(
      "execution_policy_denied",
      `the mount source ${JSON.stringify(source)} is not an absolute path`,
    );
  }
  const readOnly = mount["readOnly"] !== false;
  if (policy.hostExposure === "none" || (!readOnly && policy.hostExposure !== "read-write")) {
    throw fail(
      "execution_policy_denied",
      `the task asks to see ${source}${readOnly ? "" : " for writing"}, which its profile does not allow`,
    );
  }
  return { source, target: typeof mount["target"] === "string" ? mount["target"] : source, readOnly };
}
