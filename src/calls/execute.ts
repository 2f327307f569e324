import type { Json } from "../base/json.ts";
import type { CallContext, CallKind, CallRequest, CallScope } from "./call.ts";
import { CALL_ERRORS, CallError } from "./error.ts";
import { mask, secretsOf } from "./mask.ts";

type Client = (request: CallRequest, scope: CallScope) => Promise<Json>;

/** Each client is loaded when it is first used: most documents need one, and gRPC and MCP are large. */
const CLIENTS: Readonly<Record<CallKind, () => Promise<Client>>> = {
  http: async () => (await import("./http/call-http.ts")).callHttp,
  asyncapi: async () => (await import("./asyncapi/call-asyncapi.ts")).callAsyncApi,
  openapi: async () => (await import("./openapi/call-openapi.ts")).callOpenApi,
  a2a: async () => (await import("./a2a/call-a2a.ts")).callA2a,
  grpc: async () => (await import("./grpc/call-grpc.ts")).callGrpc,
  cortex: async () => (await import("./cortex/call-cortex.ts")).callCortex,
  agent: async () => (await import("./agent/call-agent.ts")).callAgent,
  "agent-service": async () => (await import("./agent/call-agent-service.ts")).callAgentService,
  mcp: async () => (await import("./mcp/call-mcp.ts")).callMcp,
};

/**
 * Make one call and return its result as the task's raw output.
 * @throws CallError, and nothing else. `sent` says whether the request may have had an effect; the texts hold no
 *   credential.
 */
export async function executeCall(request: CallRequest, context: CallContext): Promise<Json> {
  // One controller and a listener that is taken off again: a context's signal may live as long as the process, and would
  // keep every signal that `AbortSignal.any` derives from it.
  const isOwn = context.controller?.signal === context.signal;
  const controller = isOwn ? context.controller! : new AbortController();
  const { signal } = controller;
  const cancel = () => controller.abort();
  let isLate = false;
  const timer = setTimeout(
    () => {
      isLate = true;
      cancel();
    },
    Math.min(request.timeoutMs, 2 ** 31 - 1),
  );
  if (isOwn) {
    // Nobody else's to listen to.
  } else if (context.signal.aborted) cancel();
  else context.signal.addEventListener("abort", cancel, { once: true });
  const scope: CallScope = {
    ...context,
    readResource: (endpoint) => context.readResource(endpoint),
    resolveHost: (name) => context.resolveHost(name),
    signal,
    idempotencyKey: request.idempotencyKey,
    deadline: context.clock.monotonic() + request.timeoutMs,
    sent: "none",
    secrets: new Set([...secretsOf(request.authentication), ...(request.secrets ?? [])]),
  };
  try {
    // The race is for what does not listen to the signal, such as a resolver.
    return await Promise.race([run(request, scope), aborted(signal)]);
  } catch (error) {
    const failure = ended(error, request, scope, isLate);
    // Whatever is still open belongs to a call that is over.
    cancel();
    throw failure;
  } finally {
    clearTimeout(timer);
    if (!isOwn) context.signal.removeEventListener("abort", cancel);
  }
}

const loaded: Partial<Record<CallKind, Client>> = {};

async function run(request: CallRequest, scope: CallScope): Promise<Json> {
  loaded[request.kind] ??= await CLIENTS[request.kind]();
  return await loaded[request.kind]!(request, scope);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new Error("aborted"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function ended(error: unknown, request: CallRequest, scope: CallScope, isLate: boolean): CallError {
  if (isLate)
    return new CallError(
      "timeout",
      `the call took longer than ${request.timeoutMs} ms`,
      CALL_ERRORS.timeout,
      scope.sent,
      request.kind === "mcp" ? "mcp_timeout" : undefined,
    );
  if (scope.signal.aborted)
    return new CallError("communication", "the call was cancelled", CALL_ERRORS.communication, scope.sent);
  if (error instanceof CallError)
    return new CallError(error.type, mask(error.detail, scope.secrets), error.status, scope.sent, error.code);
  const text = mask(error instanceof Error ? error.message : String(error), scope.secrets);
  scope.log.error("a call failed in a way that its client does not know", {
    kind: request.kind,
    error: text,
  });
  return new CallError("communication", text, CALL_ERRORS.communication, scope.sent);
}
