import { Failure, fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { type Effect, taskError } from "../engine/index.ts";
import { callTarget, foldedOf, placeTask, type SnapshotWithDigest } from "../policy/index.ts";
import type { InstanceRow, QueuedRequest } from "../store/index.ts";
import type { RunEffect } from "./payload.ts";
import { queueRequest } from "./queue-request.ts";

type CallEffect = Extract<Effect, { kind: "call" }>;

/** What a lease can carry. */
const REQUEST_BYTES = 1_048_576;

/**
 * A call that goes to the tenant's own network, or to a server that is a program of the tenant's host, as a task for a
 * runner there; null for a call that goes out from here. The lease names the one host or program, and secrets stay names
 * until the runner has them.
 */
export function runnerCall(
  effect: CallEffect,
  row: InstanceRow,
  policy: SnapshotWithDigest,
  now: number,
): { effect: RunEffect; request: QueuedRequest } | { denied: { kind: string } } | null {
  const { request } = effect;
  const target = callTarget(request as unknown as JsonObject);
  if (placeTask(`call.${request.call}`, target, foldedOf(policy).bounds).runtime !== "runner") return null;
  try {
    const task = target.program === null ? toHost(effect, row, target.host!) : toProgram(effect, row);
    const request = queueRequest(task, row, policy, now);
    return "denied" in request ? request : { effect: task, request };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const refused = taskError("authorization", error.message, { code: error.code }, "Refused by policy");
    return { denied: { kind: "effect_failed", effect: effect.id, error: refused } as { kind: string } };
  }
}

function toHost(effect: CallEffect, row: InstanceRow, host: string): RunEffect {
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
  const stdin = askedOf(effect, row, request.with, secrets);
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

/**
 * The program of a server is a task's like any command: policy looks at it, and its workspace, network and template are
 * what the task says. Beside it runs the client, which is told what to ask.
 */
function toProgram(effect: CallEffect, row: InstanceRow): RunEffect {
  const { request, id, step_id, reference } = effect;
  const { transport, ...rest } = request.with;
  const { stdio } = transport as { stdio: { command: string; arguments: string[]; environment: JsonObject } };
  const refuse = (why: string) => fail("execution_policy_denied", `${stdio.command}: ${why}`);
  if (request.deferred !== undefined)
    throw refuse("a secret of an MCP server is the whole value of a variable of its environment");
  const light = request.light ?? {};
  if (light["action"] !== undefined || light["code"] !== undefined)
    throw refuse("a call neither does an action nor runs a function");
  const ask = askedOf(effect, row, rest, {});
  if (Buffer.byteLength(ask) > REQUEST_BYTES) throw refuse(`the call is larger than ${REQUEST_BYTES} bytes`);
  return {
    kind: "run",
    id,
    step_id,
    reference,
    call: "mcp",
    ask,
    request: {
      type: "run.shell",
      command: stdio.command,
      arguments: stdio.arguments,
      environment: stdio.environment as Record<string, string>,
      light: { ...light, repeatable: request.repeatable, output: "json" },
      timeout_ms: request.timeout_ms,
    },
  };
}

/** What the client in the sandbox reads. */
const askedOf = (
  { request, id }: CallEffect,
  row: InstanceRow,
  given: JsonObject,
  secrets: Readonly<Record<string, string>>,
): string =>
  JSON.stringify({
    kind: request.call,
    with: given,
    secrets,
    timeoutMs: request.timeout_ms ?? LIMITS.taskTimeoutMs,
    // The same for every attempt: a service that keeps it answers a repeat with the first result.
    idempotencyKey: `${row.id}/${id}`,
  });

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
