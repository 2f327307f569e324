import { ERRORS, type ErrorCode, Failure } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import {
  apiTarget,
  type CortexPlace,
  cortexPlace,
  exchangeOnce,
  type RequestTarget,
  responseOf,
  threadTarget,
  toolTarget,
} from "../../cortex/index.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { type CallError, type CallErrorType, callError } from "../error.ts";

/**
 * `call: cortex` of the dialect: one exchange through the `/ctx` of this host. The request's id is the call's own, so an
 * exchange that outlived the process that began it is taken up again, and never made twice.
 */
export async function callCortex(request: CallRequest, scope: CallScope): Promise<Json> {
  try {
    const target = targetOf(request, scope.cortex ?? cortexPlace());
    const body = JSON.stringify(request.with["body"] ?? null);
    const outcome = await exchangeOnce(target, body, scope.signal, (possible) => {
      scope.sent = possible ? "possible" : "none";
    });
    return responseOf(target, outcome);
  } catch (error) {
    throw translated(error);
  }
}

function targetOf(request: CallRequest, place: CortexPlace): RequestTarget {
  const { target, requestId } = request.with;
  const id = typeof requestId === "string" ? requestId : request.idempotencyKey.replaceAll("/", ".");
  const { kind, format, tool, thread } = (isObject(target) ? target : {}) as JsonObject;
  if (kind === "api") return apiTarget(place, String(format), id);
  if (kind === "tool") return toolTarget(place, String(tool), id);
  if (kind === "thread") return threadTarget(place, String(thread), id);
  throw callError("configuration", "`call: cortex` names no target");
}

/** Codes of the client as errors of a task. */
const TYPES: Readonly<Record<string, [CallErrorType, number]>> = {
  invalid_request: ["validation", 400],
  forbidden: ["authorization", 403],
  payload_too_large: ["validation", 413],
  unavailable: ["communication", 503],
  execution_output_invalid: ["communication", 502],
  command_failed: ["communication", 502],
};

function translated(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  const [type, status] = TYPES[error.code] ?? ["communication", 500];
  const text = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
  // What CortexFS calls it, such as `unavailable` or `execution_timeout`, where it answered at all.
  const code = error.details?.["code"];
  const named = typeof code === "string" && Object.hasOwn(ERRORS, code) ? { code: code as ErrorCode } : {};
  return callError(type, text, status, named) satisfies CallError;
}
