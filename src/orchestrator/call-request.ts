import { toFailure } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { CallError, type CallKind, type CallRequest, type MessagePredicate } from "../calls/index.ts";
import { type CallEffectRequest, type EngineInput, taskError } from "../engine/index.ts";
import { compileExpression } from "../expression/index.ts";
import type { ClaimedCall } from "../store/index.ts";
import { joinPointer, pointerTokens, valueAt } from "../workflow/index.ts";

/**
 * The stored request of a call as the clients take it, with the secrets that it names.
 * @throws CallError `authorization` for a secret that is not available
 */
export function callRequest(
  call: ClaimedCall,
  secret: (name: string) => JsonObject | undefined,
  now: number,
): CallRequest {
  const stored = call.request as unknown as CallEffectRequest;
  const values: JsonObject[] = [];
  for (const [pointer, name] of Object.entries(stored.secrets)) {
    const value = secret(name);
    if (value === undefined)
      throw new CallError("authorization", `the secret \`${name}\` is not available here`, 403, "none");
    const tokens = pointerTokens(pointer);
    const holder = valueAt(stored.with, joinPointer("", ...tokens.slice(0, -1))) as JsonObject;
    holder[tokens.at(-1)!] = value;
    values.push(value);
  }
  const predicates = messagePredicates(stored, now);
  return {
    ...(predicates === undefined ? {} : { predicates }),
    kind: stored.call as CallKind,
    with: stored.with,
    timeoutMs: stored.timeout_ms ?? LIMITS.taskTimeoutMs,
    // The same for every attempt: a service that keeps it answers a repeat with the first result.
    idempotencyKey: `${call.instance_id}/${call.effect_id}`,
    secrets: values.flatMap((value) => Object.values(value).filter((text) => typeof text === "string")),
  };
}

/** The expressions of a subscription, to be asked about each message. One that fails ends the call. */
function messagePredicates(stored: CallEffectRequest, now: number): CallRequest["predicates"] {
  if (stored.predicates === undefined) return undefined;
  const { texts, variables } = stored.predicates;
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
      ...taskError(error.type, error.detail, { sent: error.sent }, error.title),
      status: error.status,
    },
  };
}
