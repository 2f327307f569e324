import { Failure, fail } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { taskError } from "../engine/index.ts";
import {
  type EffectivePolicy,
  effectivePolicy,
  type PolicyLayer,
  requestLayer,
  type SnapshotWithDigest,
  UNCOUNTED,
  withoutTemplates,
} from "../policy/index.ts";
import { BROWSER_CAPABILITY, CONTAINER_CAPABILITY, type TaskPayload } from "../protocol/index.ts";
import type { ApprovalGate, InstanceRow, QueuedRequest } from "../store/index.ts";
import { denied } from "./admits.ts";
import { runGate } from "./approval-gate.ts";
import { type RunEffect, sessionOf, taskPayload } from "./payload.ts";

/**
 * A runner effect as a queued request: the task's own payload under the resolved policy, never the definition. What
 * policy refuses becomes an input that fails the step.
 */
export function queueRequest(
  effect: RunEffect,
  row: InstanceRow,
  policy: SnapshotWithDigest,
  now: number,
): QueuedRequest | { denied: { kind: string } } {
  const { request } = effect;
  let payload: TaskPayload;
  let concurrency: QueuedRequest["concurrency"];
  let effective: EffectivePolicy;
  let gate: ApprovalGate | null;
  try {
    const said = withCapability(requestLayer(request.light), request);
    const asked = isObject(request.light["agent"]) ? withoutTemplates(said) : said;
    const layer =
      request.timeout_ms === null
        ? asked
        : { ...asked, limits: { ...asked.limits, taskMs: request.timeout_ms } };
    effective = effectivePolicy(policy, {
      layer,
      reference: effect.reference,
      ...(isObject(request.light["action"]) || (effect.call !== undefined && effect.ask === undefined)
        ? { fixedAction: true }
        : {}),
      // What an agent runs, a model wrote; the worker itself is the product's own.
      ...(isObject(request.light["agent"]) ? { fixedAction: true, modelGenerated: true } : {}),
    });
    payload = taskPayload(effect, row, effective);
    concurrency = concurrencyOf(request.light, effective);
    gate = runGate(request.light, payload, row, effective);
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
      ...(payload.sandbox.boundary === undefined ? {} : { boundary: payload.sandbox.boundary }),
      ...(payload.sandbox.providers === undefined ? {} : { sandboxProviders: payload.sandbox.providers }),
      ...runnerKinds(effective),
    },
    payload: payload as unknown as JsonObject,
    // An agent works on a copy, which can only be made where the session is.
    workspaceKey: sessionOf(payload),
    repeatable: request.light["repeatable"] === true,
    priority: typeof request.light["priority"] === "number" ? request.light["priority"] : 0,
    concurrency,
    expiresAt: now + effective.queueMs,
    ...retentionOf(effective),
    ...(gate === null ? {} : { gate }),
  };
}

/** What policy says of how long its artifacts and logs are kept; the controller notes it with what the task hands over. */
function retentionOf({ policy }: EffectivePolicy): Pick<QueuedRequest, "retention"> {
  const { artifactRetentionMs, logRetentionMs } = policy.limits ?? {};
  if (artifactRetentionMs === undefined && logRetentionMs === undefined) return {};
  return {
    retention: {
      ...(artifactRetentionMs === undefined ? {} : { artifactMs: artifactRetentionMs }),
      ...(logRetentionMs === undefined ? {} : { logMs: logRetentionMs }),
    },
  };
}

/**
 * The keys that the task holds while it is queued or runs: its own, which were evaluated with the rest of its metadata and
 * may differ from run to run, and its profile's, which counts the profile's tasks of one tenant.
 */
function concurrencyOf(light: JsonObject, effective: EffectivePolicy): QueuedRequest["concurrency"] {
  const limits = new Map<string, number>();
  const most = effective.policy.limits?.concurrency ?? UNCOUNTED;
  if (most === 0) throw denied("policy lets no task of this profile run", "limits.concurrency");
  if (most !== UNCOUNTED) limits.set(`profile:${effective.executionProfile}`, most);
  const asked = light["concurrency"] ?? [];
  for (const claim of Array.isArray(asked) ? asked : [asked]) {
    const { key, limit } = claim as JsonObject;
    if (typeof key !== "string" || key === "" || key.length > 256) {
      throw fail("execution_policy_denied", "the concurrency key must be a text of 1 to 256 characters");
    }
    limits.set(key, Math.min(limits.get(key) ?? UNCOUNTED, typeof limit === "number" ? limit : 1));
  }
  return [...limits].map(([key, limit]) => ({ key, limit }));
}

/** Nothing where every kind will do: most tasks then share one partition of the queue. */
function runnerKinds({ policy }: EffectivePolicy): { runnerKinds?: string[] } {
  const kinds = policy.allow?.runnerKinds;
  return kinds === undefined || kinds.includes("*") ? {} : { runnerKinds: kinds };
}

/** A runner runs images only where its operator brought some, and has a browser only where it tried one. */
function withCapability(asked: PolicyLayer, request: RunEffect["request"]): PolicyLayer {
  const needed = [
    ...(request.type === "run.container" ? [CONTAINER_CAPABILITY] : []),
    ...(isObject(request.light["browser"]) ? [BROWSER_CAPABILITY] : []),
  ];
  if (needed.length === 0) return asked;
  const capabilities = new Set([...(asked.allow?.capabilities ?? []), ...needed]);
  return { ...asked, allow: { ...asked.allow, capabilities: [...capabilities] } };
}
