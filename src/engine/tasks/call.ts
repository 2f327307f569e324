import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { joinPointer } from "../../workflow/index.ts";
import { evaluateTemplate, scope } from "../data-flow.ts";
import { fault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import { deferExpressions, holdsSecrets, PROTOCOLS } from "../secret-places.ts";
import type { CallEffectRequest, DeferredArguments, Frame } from "../state.ts";
import { AGENT_CALLS, agentRequest, questionInstead } from "./call-agent.ts";
import { withPolicies } from "./call-policies.ts";
import { startedServer, withServerReferences } from "./call-program.ts";
import type { TaskHandler } from "./handler.ts";
import { goOn, iterationContinues, type MessageLoop, type MessageMemory } from "./message-loop.ts";
import { lightOf } from "./run-request.ts";

/** Functions within functions: far beyond what a person writes, far below what fills the state. */
const FUNCTION_DEPTH = 32;

/**
 * `call`: an effect for the orchestrator, with every expression evaluated; or a task of `use.functions`, which runs on
 * its evaluated arguments alone and sees none of the caller's local variables.
 */
export const callTask: TaskHandler = {
  begin(machine, frame, node) {
    const kind = node.task["call"] as string;
    if (AGENT_CALLS.has(kind)) {
      const request = agentRequest(machine, frame, kind, node.task);
      // What an agent makes of private data is private too.
      if (request.private === true) frame.private = true;
      machine.await(frame, (id) => ({
        kind: "call",
        id,
        step_id: frame.name,
        reference: machine.reference(frame),
        request,
      }));
      return;
    }
    if (!PROTOCOLS.has(kind)) {
      enterFunction(machine, frame, kind, (node.task["with"] ?? {}) as JsonObject);
      return;
    }
    const request = callRequest(machine, frame, kind, node.task);
    if (loopOf(frame, node.task) !== null) {
      const memory: MessageMemory = { outputs: [], queue: [], running: false, done: false };
      frame.memory = memory as unknown as JsonObject;
      request.each = true;
    }
    machine.await(frame, (id) => ({
      kind: "call",
      id,
      step_id: frame.name,
      reference: machine.reference(frame),
      request,
    }));
  },
  childCompleted(machine, frame, child, output, directive) {
    const loop = loopOf(frame, machine.definition.task(frame.pointer).task);
    if (loop === null) machine.complete(frame, output);
    else iterationContinues(machine, frame, loop, child, output, directive);
  },
  /** A message of a subscription, while the call goes on. */
  event(machine, frame, node, message) {
    memoryOf(frame).queue.push(message);
    goOn(machine, frame, loopOf(frame, node.task));
  },
  effectFailed(machine, frame, node, error) {
    const question = AGENT_CALLS.has(node.task["call"] as string) ? questionInstead(node.task, error) : null;
    if (question === null) {
      machine.fault(frame, error);
      return;
    }
    const asked = {
      kind: "ask" as const,
      step_id: frame.name,
      reference: machine.reference(frame),
      question,
    };
    machine.await(frame, (id) => ({ ...asked, id }));
  },
  effectSucceeded(machine, frame, node, output) {
    const loop = loopOf(frame, node.task);
    if (loop === null) {
      const agent = AGENT_CALLS.has(node.task["call"] as string);
      machine.complete(frame, agent ? answerOf(output, lightOf(node.task)) : output);
    } else {
      memoryOf(frame).done = true;
      goOn(machine, frame, loop);
    }
  },
};

/**
 * An agent's answer, wherever it ran. A runner reports a command's record, with the answer inside; a task that declares
 * `metadata.lightWorkflow.output` gets that record, for its artifacts.
 */
function answerOf(output: Json, light: JsonObject): Json {
  if (!isObject(output) || !["exitCode", "artifacts", "durationMs"].every((name) => name in output))
    return output;
  const { output: told, stdout: _, stderr: __, ...rest } = output as JsonObject;
  const answer = isObject(told) && "answer" in told ? (told as JsonObject)["answer"]! : (told ?? null);
  return light["output"] === undefined ? answer : { ...rest, output: answer };
}

const memoryOf = (frame: Frame): MessageMemory => frame.memory as unknown as MessageMemory;

/** The `foreach` of an AsyncAPI subscription, or null. */
function loopOf(frame: Frame, task: JsonObject): MessageLoop | null {
  if (task["call"] !== "asyncapi") return null;
  const { subscription } = (task["with"] ?? {}) as JsonObject;
  const loop = isObject(subscription) ? (subscription["foreach"] as JsonObject | undefined) : undefined;
  if (loop === undefined) return null;
  return { loop, pointer: `${frame.pointer}/with/subscription/foreach`, endless: false };
}

function enterFunction(machine: Machine, frame: Frame, name: string, declared: JsonObject): void {
  const pointer = joinPointer("/use/functions", name);
  if (!isObject(machine.definition.at(pointer)))
    throw fault("configuration", `there is no function ${JSON.stringify(name)}`);
  let depth = 0;
  for (let outer = machine.frame(frame.parent); outer !== undefined; outer = machine.frame(outer.parent))
    if (machine.definition.task(outer.pointer).kind === "call") depth++;
  if (depth >= FUNCTION_DEPTH)
    throw fault("configuration", `functions call each other more than ${FUNCTION_DEPTH} levels deep`);
  const input = evaluateTemplate(machine, frame, "with", declared);
  machine.enter(machine.definition.task(pointer), frame.id, input, { ...frame, locals: {} });
}

function callRequest(machine: Machine, frame: Frame, kind: string, task: JsonObject): CallEffectRequest {
  const secrets: Record<string, string> = {};
  const given = withServerReferences(kind, (task["with"] ?? {}) as JsonObject);
  const declared = withPolicies(machine, given, secrets) as JsonObject;
  const { args: plain, texts } =
    kind === "asyncapi" ? withoutPredicates(declared) : { args: declared, texts: {} };
  const deferred = deferredPart(machine, frame, task, plain, holdsSecrets(texts));
  // Its places are null in the template, so it is another one than the document's.
  const place = deferred === null ? "with" : "with:known";
  const evaluated = evaluateTemplate(machine, frame, place, deferred?.template ?? plain) as JsonObject;
  const server = startedServer(kind, evaluated, declared);
  const args = server === null ? evaluated : { ...evaluated, transport: { stdio: server } };
  const asked = Object.keys(texts).length > 0;
  const variables = deferred === null ? uriVariables(args, frame.input) : null;
  const light = lightOf(task);
  return {
    call: kind,
    with: variables === null ? args : { ...args, uriVariables: variables },
    secrets,
    ...(deferred === null ? {} : { deferred: deferred.part }),
    ...(server !== null || saysWhatItDoes(light)
      ? { light: evaluateTemplate(machine, frame, "metadata/lightWorkflow", light) as JsonObject }
      : {}),
    ...(asked ? { predicates: { texts, variables: messageScope(machine, frame) } } : {}),
    repeatable: changesNothing(kind, args) || light["repeatable"] === true,
    timeout_ms: machine.timeoutOf(machine.definition.task(frame.pointer), frame),
  };
}

/** Most calls do not, and what they carry stays as small as it is. */
function saysWhatItDoes(light: JsonObject): boolean {
  const { security, approval, network } = light;
  if (approval !== undefined || network !== undefined) return true;
  if (!isObject(security)) return false;
  const { allow, deny, approvalRequired, privateHosts } = security as JsonObject;
  const names = (sets: unknown, set: string) => isObject(sets) && (sets as JsonObject)[set] !== undefined;
  return (
    approvalRequired !== undefined ||
    privateHosts !== undefined ||
    security["network"] !== undefined ||
    names(allow, "actions") ||
    names(allow, "networkHosts") ||
    names(deny, "networkHosts")
  );
}

/** What has to wait for the secrets: the orchestrator evaluates it when it makes the call, and keeps nothing of it. */
function deferredPart(
  machine: Machine,
  frame: Frame,
  task: JsonObject,
  args: JsonObject,
  asked: boolean,
): { template: Json; part: DeferredArguments } | null {
  const from = (task["input"] as JsonObject | undefined)?.["from"];
  const secretInput = holdsSecrets(from);
  if (!secretInput && !asked && !holdsSecrets(args)) return null;
  const { template, texts } = deferExpressions(args, secretInput, machine.definition.mode === "loose");
  const declared = (machine.definition.at("/use/secrets") ?? []) as string[];
  const part: DeferredArguments = {
    texts,
    ...(secretInput ? { from: from! } : {}),
    input: frame.input,
    variables: messageScope(machine, frame),
    secrets: declared,
    mode: machine.definition.mode,
  };
  return { template, part };
}

/**
 * A subscription's `filter`, `while` and `until` are about messages that are still to come: they stay texts. Its `foreach`
 * is the engine's own.
 */
function withoutPredicates(args: JsonObject): { args: JsonObject; texts: Record<string, string> } {
  const { subscription } = args;
  if (!isObject(subscription)) return { args, texts: {} };
  const { filter, consume, foreach: _, ...rest } = subscription as JsonObject;
  const { while: going, until, ...amount } = (consume ?? {}) as JsonObject;
  const texts = Object.entries({ filter, while: going, until }).filter(
    ([, text]) => typeof text === "string",
  );
  return {
    args: { ...args, subscription: { ...rest, consume: amount } },
    texts: Object.fromEntries(texts) as Record<string, string>,
  };
}

/** The arguments of an expression without the documents, which may be as large as the whole state. */
function messageScope(machine: Machine, frame: Frame): JsonObject {
  const { workflow, task, ...rest } = scope(machine, frame, "definition");
  const { definition: _, ...about } = workflow as JsonObject;
  const { definition: __, ...taskAbout } = task as JsonObject;
  return { ...rest, workflow: about, task: taskAbout };
}

/** What `{name}` in an endpoint can stand for: the members of the task's input that its text mentions. */
export function uriVariables(args: JsonObject, input: Json): JsonObject | null {
  const { endpoint } = args;
  const uri = isObject(endpoint) ? (endpoint as JsonObject)["uri"] : endpoint;
  if (typeof uri !== "string" || !uri.includes("{") || !isObject(input)) return null;
  return Object.fromEntries(Object.entries(input as JsonObject).filter(([name]) => uri.includes(name)));
}

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether making the call twice is as good as once, by the protocol's own rules. */
function changesNothing(kind: string, args: JsonObject): boolean {
  const method = String(args["method"] ?? "");
  if (kind === "http") return SAFE_METHODS.has(method.toUpperCase());
  // The same id finds the same exchange again.
  if (kind === "cortex") return true;
  if (kind === "mcp") return method !== "tools/call";
  // Listening changes nothing on the other side; after a crash it is listened to again.
  if (kind === "asyncapi") return isObject(args["subscription"]);
  if (kind === "a2a")
    return /^(?:tasks\/(?:get|list)|agent\/|tasks\/pushNotificationConfig\/(?:get|list))/.test(method);
  return false;
}
