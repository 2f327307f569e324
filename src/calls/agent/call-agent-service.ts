import {
  AGENT_FAILURES,
  type AgentFailureCode,
  type AgentOutcome,
  type AgentUsage,
} from "../../agents/index.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { validatesAgainst } from "../../base/json-schema.ts";
import { callA2a } from "../a2a/call-a2a.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { CallError, callError } from "../error.ts";

/** How often a stream that broke is taken up again: the service knows the message by its id. */
const TAKEN_UP = 3;
const PAUSE_MS = 500;
const UNDER_WAY: ReadonlySet<string> = new Set(["submitted", "working"]);
/** A service that does not hear of a cancellation within this time is left to itself. */
const CANCEL_MS = 5000;

/** What the messages of one task have said so far. */
interface Progress {
  taskId: string | null;
  state: string;
  said: string;
  parts: JsonObject[];
  usage: AgentUsage;
  /** How it says that it failed, where it is one of ours. */
  failed: AgentFailureCode | null;
}

/**
 * `call: agent-service`: an agent that is deployed on its own, over A2A 0.3. One message starts the task, under the call's
 * own id, so that a repeat is the same task; its states and artifacts come in as a stream; cancelling the call cancels the
 * task. The answer is an `AgentOutcome`.
 */
export async function callAgentService(request: CallRequest, scope: CallScope): Promise<Json> {
  const progress: Progress = {
    taskId: null,
    state: "submitted",
    said: "",
    parts: [],
    usage: { turns: 0, inputTokens: 0, outputTokens: 0, costMicros: null },
    failed: null,
  };
  try {
    for (let attempt = 1; ; attempt++) {
      progress.parts = [];
      try {
        await callA2a(streamed(request, progress), scope);
        // A service that ends closes its streams: the next one goes on with the task.
        if (!UNDER_WAY.has(progress.state) || attempt > TAKEN_UP) break;
      } catch (error) {
        const broken = error instanceof CallError && error.type === "communication" && error.status >= 500;
        if (!broken || attempt > TAKEN_UP || scope.signal.aborted) throw error;
      }
      await Bun.sleep(PAUSE_MS * attempt);
    }
  } catch (error) {
    if (scope.signal.aborted && progress.taskId !== null) await cancel(request, progress.taskId, scope);
    throw error;
  }
  return outcomeOf(request, progress) as unknown as Json;
}

/** Where it listens: a whole address as it is, a host alone by its agent card. */
function addressee(request: CallRequest): JsonObject {
  const { endpoint } = request.with;
  const uri = isObject(endpoint) ? (endpoint as JsonObject)["uri"] : endpoint;
  if (typeof uri !== "string" || !URL.canParse(uri))
    throw callError("configuration", "`endpoint` is not an address");
  return new URL(uri).pathname === "/" ? { agentCard: { endpoint: endpoint! } } : { server: endpoint! };
}

function streamed(request: CallRequest, progress: Progress): CallRequest {
  const { agent, prompt, input, instructions, outputSchema, retry, budgets, session } = request.with;
  const message: JsonObject = {
    kind: "message",
    role: "user",
    messageId: request.idempotencyKey,
    ...(typeof session === "string" ? { contextId: session } : {}),
    parts: [
      ...(typeof prompt === "string" ? [{ kind: "text", text: prompt }] : []),
      ...(input === null || input === undefined ? [] : [{ kind: "data", data: { input } }]),
    ],
    metadata: {
      lightflow: {
        agent: agent!,
        instructions: instructions ?? null,
        outputSchema: outputSchema ?? null,
        retry: retry ?? 0,
        budgets: budgets ?? {},
      },
    },
  };
  const each = request.predicates?.each;
  return {
    ...request,
    kind: "a2a",
    with: { method: "message/stream", ...addressee(request), parameters: { message } },
    predicates: {
      each: async (value, index) => {
        take(progress, value);
        await each?.({ state: progress.state, message: progress.said }, index);
      },
    },
  };
}

function take(progress: Progress, value: Json): void {
  if (!isObject(value)) return;
  const event = value as JsonObject;
  const id = event["kind"] === "task" ? event["id"] : event["taskId"];
  if (typeof id === "string") progress.taskId = id;
  const status = event["status"];
  if (isObject(status)) {
    const { state, message } = status as JsonObject;
    if (typeof state === "string") progress.state = state;
    progress.said = textOf(isObject(message) ? partsOf(message as JsonObject) : []);
  }
  const artifacts = Array.isArray(event["artifacts"]) ? event["artifacts"] : [event["artifact"]];
  for (const artifact of artifacts)
    if (isObject(artifact)) progress.parts.push(...partsOf(artifact as JsonObject));
  if (event["kind"] === "message") {
    progress.state = "completed";
    progress.parts = partsOf(event);
  }
  const ours = isObject(event["metadata"]) ? (event["metadata"] as JsonObject)["lightflow"] : undefined;
  const { usage, failed } = (isObject(ours) ? ours : {}) as JsonObject;
  if (isObject(usage)) progress.usage = { ...progress.usage, ...usageOf(usage as JsonObject) };
  if (typeof failed === "string" && Object.hasOwn(AGENT_FAILURES, failed))
    progress.failed = failed as AgentFailureCode;
}

/** What a service says of its use, as far as it can be one. */
function usageOf(told: JsonObject): Partial<AgentUsage> {
  const counts = (["turns", "inputTokens", "outputTokens", "costMicros"] as const).flatMap((name) => {
    const value = told[name];
    return Number.isSafeInteger(value) && (value as number) >= 0 ? [[name, value]] : [];
  });
  return Object.fromEntries(counts) as Partial<AgentUsage>;
}

const partsOf = ({ parts }: JsonObject): JsonObject[] =>
  Array.isArray(parts) ? (parts.filter((part) => isObject(part)) as JsonObject[]) : [];
const textOf = (parts: readonly JsonObject[]): string =>
  parts.map(({ text }) => (typeof text === "string" ? text : "")).join("");

function outcomeOf(request: CallRequest, { state, said, parts, usage, failed }: Progress): AgentOutcome {
  if (state !== "completed") {
    const detail = `the service left the task ${state}${said === "" ? "" : `: ${said}`}`.slice(0, 1024);
    return { failed: failed ?? "agent_service_failed", detail, usage };
  }
  const data = parts.find((part) => part["kind"] === "data")?.["data"];
  const text = textOf(parts);
  const schema = request.with["outputSchema"] ?? null;
  if (schema === null) return { output: data ?? text, usage };
  let value: Json;
  try {
    value = data ?? (JSON.parse(text) as Json);
  } catch (error) {
    return { failed: "agent_output_invalid", detail: `it is not JSON (${(error as Error).message})`, usage };
  }
  // Data parts hold objects alone: another value stands in one under its own name.
  const problems = [value, isObject(value) ? (value as JsonObject)["value"] : undefined]
    .filter((each) => each !== undefined)
    .map((each) => ({ each, problem: validatesAgainst(schema, each as Json) }));
  const fits = problems.find(({ problem }) => problem === null);
  return fits === undefined
    ? { failed: "agent_output_invalid", detail: problems[0]!.problem!, usage }
    : { output: fits.each as Json, usage };
}

async function cancel(request: CallRequest, taskId: string, scope: CallScope): Promise<void> {
  const own = {
    ...scope,
    signal: AbortSignal.timeout(CANCEL_MS),
    deadline: scope.clock.monotonic() + CANCEL_MS,
  };
  const { predicates: _, ...rest } = request;
  const call = { method: "tasks/cancel", ...addressee(request), parameters: { id: taskId } };
  await callA2a({ ...rest, kind: "a2a", with: call }, own).catch((error: unknown) =>
    scope.log.warn("a service was not told of a cancellation", { error: String(error) }),
  );
}
