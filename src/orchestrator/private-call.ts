import { Failure, fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { type Effect, taskError } from "../engine/index.ts";
import { foldedOf, literalHost, placeTask, type SnapshotWithDigest } from "../policy/index.ts";
import type { InstanceRow, QueuedRequest } from "../store/index.ts";
import { queueRequest } from "./payload.ts";

type CallEffect = Extract<Effect, { kind: "call" }>;
type RunEffect = Extract<Effect, { kind: "run" }>;

/** What a lease can carry. */
const REQUEST_BYTES = 1_048_576;

/**
 * A call whose host is private to the tenant's network, as a task for a runner in that network; null for a call that goes
 * out from here. The lease names the one host, and the secrets stay names until the runner has them.
 */
export function privateCall(
  effect: CallEffect,
  row: InstanceRow,
  policy: SnapshotWithDigest,
  now: number,
): { effect: RunEffect; request: QueuedRequest } | { denied: { kind: string } } | null {
  const { request } = effect;
  const host = literalHost({ with: request.with });
  if (placeTask(`call.${request.call}`, host, foldedOf(policy).bounds).runtime !== "runner") return null;
  try {
    const task = asTask(effect, row, host!);
    const request = queueRequest(task, row, policy, now);
    return "denied" in request ? request : { effect: task, request };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const refused = taskError("authorization", error.message, { code: error.code }, "Refused by policy");
    return { denied: { kind: "effect_failed", effect: effect.id, error: refused } as { kind: string } };
  }
}

function asTask(effect: CallEffect, row: InstanceRow, host: string) {
  const { request, id, step_id, reference } = effect;
  const refuse = (why: string) =>
    fail("execution_policy_denied", `${host} is private to the tenant's network, and ${why}`, {
      details: { field: "privateHosts" },
    });
  const kind = request.call;
  if (kind !== "http" && kind !== "mcp") throw refuse(`a runner makes no call: ${kind}`);
  if (request.deferred !== undefined)
    throw refuse("a runner's secrets are named by `authentication: {use: …}`, never by an expression");
  const environment: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  for (const [index, [pointer, name]] of Object.entries(request.secrets).entries()) {
    secrets[pointer] = `CALL_SECRET_${index}`;
    environment[`CALL_SECRET_${index}`] = `runner-secret://${name}`;
  }
  const stdin = JSON.stringify({
    kind,
    with: request.with,
    secrets,
    timeoutMs: request.timeout_ms ?? LIMITS.taskTimeoutMs,
    // The same for every attempt: a service that keeps it answers a repeat with the first result.
    idempotencyKey: `${row.id}/${id}`,
  });
  if (Buffer.byteLength(stdin) > REQUEST_BYTES)
    throw refuse(`the call is larger than ${REQUEST_BYTES} bytes`);
  return {
    kind: "run" as const,
    id,
    step_id,
    reference,
    call: kind as "http" | "mcp",
    request: {
      type: "run.shell" as const,
      command: "lightflow",
      arguments: ["call", kind],
      environment,
      stdin,
      light: callLight(request.light ?? {}, host, request.repeatable),
      timeout_ms: request.timeout_ms,
    },
  };
}

/** Its network is the one host, which policy has to allow like any other. */
function callLight(light: JsonObject, host: string, repeatable: boolean): JsonObject {
  const security = isObject(light["security"]) ? (light["security"] as JsonObject) : {};
  const allow = isObject(security["allow"]) ? (security["allow"] as JsonObject) : {};
  return {
    ...light,
    repeatable,
    network: "allowlisted",
    output: "json",
    security: { ...security, allow: { ...allow, networkHosts: [host] } },
  };
}
