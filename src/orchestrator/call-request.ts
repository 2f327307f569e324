import { Failure, toFailure } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import {
  CallError,
  type CallKind,
  type CallRequest,
  type MessagePredicate,
  secretsOf,
} from "../calls/index.ts";
import { type CallEffectRequest, type EngineInput, taskError, uriVariables } from "../engine/index.ts";
import { compileExpression, compileTemplate } from "../expression/index.ts";
import { type CallLimits, callLimits, requestLayer } from "../policy/index.ts";
import { type SecretValue, secretTexts } from "../secrets/index.ts";
import type { ClaimedCall } from "../store/index.ts";
import { joinPointer, pointerTokens, valueAt } from "../workflow/index.ts";
import { UNLIMITED } from "./call-options.ts";
import type { Policies } from "./policies.ts";

/**
 * The stored request of a call as the clients take it, with the secrets that it names. Whatever is made of them lives as
 * long as the call.
 * @throws CallError `authorization` for a secret that is not available, `validation` for an expression that fails
 */
export function callRequest(
  call: ClaimedCall,
  secret: (name: string) => SecretValue | undefined,
  now: number,
): CallRequest {
  const stored = call.request as unknown as CallEffectRequest;
  const { session } = stored.with;
  // Several tenants may share a service, and none may hear what another one said there.
  if (stored.call === "agent-service" && typeof session === "string")
    stored.with["session"] = `${call.tenant_id}/${session}`;
  const hidden = new Set<string>();
  const resolve = (name: string): SecretValue => {
    const value = secretOf(name, secret);
    for (const text of secretTexts(value)) hidden.add(text);
    return value;
  };
  for (const [pointer, name] of Object.entries(stored.secrets))
    put(stored.with, pointer, schemeProperties(secretOf(name, secret), pointer, hidden));
  const secrets = Object.fromEntries((stored.deferred?.secrets ?? []).map((name) => [name, resolve(name)]));
  if (stored.deferred !== undefined) evaluateDeferred(stored, secrets, now);
  const predicates = messagePredicates(stored, secrets, now);
  return {
    ...(predicates === undefined ? {} : { predicates }),
    kind: stored.call as CallKind,
    with: stored.with,
    timeoutMs: stored.timeout_ms ?? (listens(stored) ? Number.MAX_SAFE_INTEGER : LIMITS.taskTimeoutMs),
    // The same for every attempt: a service that keeps it answers a repeat with the first result.
    idempotencyKey: `${call.instance_id}/${call.effect_id}`,
    secrets: [...hidden],
  };
}

/** What most calls ask of policy. */
const NOTHING_ASKED = requestLayer({});

/** Where the call may go by the policy of its instance. @throws CallError `authorization` */
export function limitsOfCall(call: ClaimedCall, policies: Policies): CallLimits {
  const { light, call: kind } = call.request as unknown as CallEffectRequest;
  // A file of this host is no host of a network.
  if (kind === "cortex" || kind === "agent") return UNLIMITED;
  try {
    return callLimits(
      policies.of(call.policy_digest),
      light === undefined ? NOTHING_ASKED : requestLayer(light),
      call.reference,
    );
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new CallError("authorization", error.message, 403, "none");
  }
}

/** A subscription ends as it says itself; one that says nothing goes on for ever. */
const listens = (stored: CallEffectRequest): boolean =>
  stored.call === "asyncapi" && stored.with["subscription"] !== undefined;

function secretOf(name: string, secret: (name: string) => SecretValue | undefined): SecretValue {
  let value: SecretValue | undefined;
  try {
    value = secret(name);
  } catch (error) {
    throw new CallError("authorization", `the secret \`${name}\`: ${toFailure(error).message}`, 403, "none");
  }
  if (value === undefined)
    throw new CallError("authorization", `the secret \`${name}\` is not available here`, 403, "none");
  return value;
}

/** `{bearer: {use: name}}`: an object has the properties of the scheme; a text can only be the token of a bearer. */
function schemeProperties(value: SecretValue, pointer: string, hidden: Set<string>): JsonObject {
  if (typeof value !== "string") {
    for (const text of secretsOf(value)) hidden.add(text);
    return value;
  }
  hidden.add(value);
  if (pointer.endsWith("/bearer")) return { token: value };
  const scheme = pointerTokens(pointer).at(-1);
  throw new CallError("authorization", `the secret for \`${scheme}\` must be a JSON object`, 403, "none");
}

function put(root: JsonObject, pointer: string, value: Json): void {
  const tokens = pointerTokens(pointer);
  const holder = valueAt(root, joinPointer("", ...tokens.slice(0, -1))) as JsonObject;
  holder[tokens.at(-1)!] = value;
}

function evaluateDeferred(stored: CallEffectRequest, secrets: JsonObject, now: number): void {
  const { texts, from, variables, mode, ...rest } = stored.deferred!;
  const known = { ...variables, secrets };
  try {
    const input =
      from === undefined
        ? rest.input
        : typeof from === "string"
          ? compileExpression(from, { bare: true, mode })(rest.input, { variables: known, now })
          : compileTemplate(from, { mode })(rest.input, { variables: known, now });
    for (const [pointer, text] of Object.entries(texts))
      put(
        stored.with,
        pointer,
        compileExpression(text, { mode })(input, { variables: { ...known, input }, now }),
      );
    const uri = uriVariables(stored.with, input);
    if (uri !== null) stored.with["uriVariables"] = uri;
  } catch (error) {
    const { code } = toFailure(error);
    // What a failing program says may hold the value that it failed on.
    throw new CallError("validation", `an expression over \`$secrets\` failed: ${code}`, 400, "none");
  }
}

/** The expressions of a subscription, to be asked about each message. One that fails ends the call. */
function messagePredicates(
  stored: CallEffectRequest,
  secrets: JsonObject,
  now: number,
): CallRequest["predicates"] {
  if (stored.predicates === undefined) return undefined;
  const { texts } = stored.predicates;
  const variables = { ...stored.predicates.variables, secrets };
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]): [string, MessagePredicate] => {
      const evaluate = compileExpression(text, { bare: true });
      return [
        name,
        (message) => {
          try {
            const value = evaluate(message, { variables, now });
            return value !== null && value !== false;
          } catch (error) {
            throw new CallError("validation", `\`${name}\`: ${toFailure(error).message}`, 400, "none");
          }
        },
      ];
    }),
  );
}

/** A call's error as the input of the instance that waits for it. */
export function callFailed(effect: string, error: CallError): EngineInput {
  return {
    kind: "effect_failed",
    effect,
    error: {
      ...taskError(
        error.type,
        error.detail,
        { sent: error.sent, ...(error.code === undefined ? {} : { code: error.code }) },
        error.title,
      ),
      status: error.status,
    },
  };
}
