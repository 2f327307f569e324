import { systemClock } from "../../base/clock.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { silentLog } from "../../base/log.ts";
import { createTokenCache } from "../authentication/token-cache.ts";
import type { CallContext, CallKind, CallRequest } from "../call.ts";
import { systemResolveHost } from "../destination/check.ts";
import { allowAll } from "../destination/policy.ts";
import { CallError } from "../error.ts";
import { executeCall } from "../execute.ts";

/** A context over the real network, for tests against servers on this machine. */
export function testContext(parts: Partial<CallContext> = {}): CallContext {
  return {
    fetch,
    resolveHost: systemResolveHost,
    policy: allowAll,
    clock: systemClock,
    signal: new AbortController().signal,
    log: silentLog,
    tokenCache: createTokenCache(),
    readResource: async (endpoint) => {
      const response = await fetch(typeof endpoint === "string" ? endpoint : endpoint.uri);
      return new Uint8Array(await response.arrayBuffer());
    },
    ...parts,
  };
}

export function testRequest(kind: CallKind, args: JsonObject, parts: Partial<CallRequest> = {}): CallRequest {
  return { kind, with: args, timeoutMs: 10_000, idempotencyKey: "attempt-1", ...parts };
}

/** The error of a call that has to fail. */
export async function errorOf(request: CallRequest, context: CallContext): Promise<CallError> {
  let value: Json;
  try {
    value = await executeCall(request, context);
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  throw new Error(`the call succeeded with ${JSON.stringify(value)}`);
}

/** Names that only the test knows, as a resolver. */
export function namesOf(names: Record<string, string[]>): CallContext["resolveHost"] {
  return async (name) => names[name] ?? [];
}
