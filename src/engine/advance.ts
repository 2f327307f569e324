import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { joinPointer } from "../workflow/index.ts";
import { scope } from "./data-flow.ts";
import type { Definition } from "./definition.ts";
import { durationOf } from "./duration.ts";
import { taskError, toTaskError } from "./errors.ts";
import { Machine } from "./machine.ts";
import { checkSchema } from "./schema.ts";
import { type Advance, type EngineInput, FINISHED, type Frame, type Instance } from "./state.ts";
import { isPrivateEvent } from "./taint.ts";
import { handlerOf } from "./tasks/index.ts";

/** What a runner's child says of a call: its result, or its own error as the clients here would give it. */
function takeRunnerCall(machine: Machine, frame: Frame, record: JsonObject): void {
  // It comes from the tenant's own network.
  frame.private = true;
  const told = record["output"];
  const answer = isObject(told) ? (told as JsonObject) : {};
  const { error } = answer;
  if (!isObject(error)) {
    // What an operator decided about an unknown end is the output as it is.
    machine.complete(frame, (Object.hasOwn(answer, "result") ? answer["result"] : told) ?? null);
    return;
  }
  const { type, title, detail, status, sent, code } = error as Record<string, string>;
  const kind = ERROR_KINDS.find((name) => name === type) ?? "communication";
  const data = { sent: sent ?? "possible", ...(code === undefined ? {} : { code }) };
  const given = taskError(kind, detail ?? "the call failed", data, title);
  machine.fault(frame, { ...given, status: Number(status) || given.status });
}

/** What a runner makes as a call; other calls that run there have records of their own. */
const RUNNER_CALLS = new Set<Json | undefined>(["http", "mcp"]);

const ERROR_KINDS = [
  "configuration",
  "validation",
  "authentication",
  "authorization",
  "timeout",
  "communication",
] as const;

/** An instance before its first input. */
export function newInstance(id: string, runId: string, now: number): Instance {
  return {
    id,
    run_id: runId,
    status: "pending",
    raw_input: null,
    input: null,
    context: null,
    output: null,
    started_at: now,
    frames: {},
    next_frame: 1,
    next_effect: 1,
    visits: {},
  };
}

/**
 * The engine: one input into one instance. Pure: no clock but `now` (the input's recorded time), no I/O, no
 * database; the same inputs give the same instance, effects and transitions. `instance` is used up: pass a fresh
 * parse of the snapshot.
 */
export function advance(
  definition: Definition,
  instance: Instance,
  input: EngineInput,
  now: number,
): Advance {
  const machine = new Machine(definition, instance, now);
  if (!FINISHED.has(instance.status)) step(machine, input);
  machine.settle();
  return { instance, effects: machine.effects, transitions: machine.transitions, outputs: machine.outputs };
}

function step(machine: Machine, input: EngineInput): void {
  const { instance } = machine;
  if (input.kind === "suspend" || input.kind === "resume") {
    if (input.kind === "suspend") suspend(machine, input.reason);
    else resume(machine);
  } else if (instance.status === "suspended" && input.kind !== "cancel") {
    instance.held ??= [];
    instance.held.push(input);
  } else {
    take(machine, input);
    machine.drain();
  }
}

/** What has begun goes on; what comes of it is held, and nothing new begins. */
function suspend(machine: Machine, reason: string): void {
  const { instance } = machine;
  if (instance.status === "suspended") return;
  instance.status = "suspended";
  machine.note("run.suspended", null, { reason });
  for (const frame of waiting(instance)) machine.note("step.suspended", frame);
}

/** Takes what was held, in the order in which it came; time went on meanwhile. */
function resume(machine: Machine): void {
  const { instance } = machine;
  if (instance.status !== "suspended") return;
  const held = instance.held ?? [];
  delete instance.held;
  instance.status = "waiting";
  machine.note("run.resumed", null, { held: held.length });
  for (const frame of waiting(instance)) machine.note("step.resumed", frame);
  for (const input of held) {
    if (FINISHED.has(instance.status)) return;
    take(machine, input);
    machine.drain();
  }
}

/** The tasks that wait for something themselves, not those around them. */
const waiting = (instance: Instance): Frame[] =>
  Object.values(instance.frames).filter((frame) => frame.effect !== undefined);

type Work = Exclude<EngineInput, { kind: "suspend" | "resume" }>;

function take(machine: Machine, input: Work): void {
  switch (input.kind) {
    case "start":
      start(machine, input.input);
      return;
    case "cancel":
      machine.note("run.cancelling", null, { reason: input.reason });
      machine.finish("cancelled", null);
      return;
    case "timer": {
      if (machine.instance.timeout === input.effect) {
        delete machine.instance.timeout;
        const late = taskError("timeout", "the workflow ran past its timeout");
        machine.finish("faulted", null, { ...late, instance: "/timeout" });
        return;
      }
      const timed = find(machine, (frame) => frame.timeout === input.effect);
      if (timed !== undefined) {
        machine.timedOut(timed);
        return;
      }
      const own = find(machine, (frame) => frame.timer === input.effect);
      if (own !== undefined) {
        delete own.timer;
        const node = machine.definition.task(own.pointer);
        machine.guard(own, () => handlerOf(node.kind).timer!(machine, own, node));
        return;
      }
      resolve(machine, input.effect, (frame) => {
        const node = machine.definition.task(frame.pointer);
        machine.guard(frame, () => handlerOf(node.kind).timer!(machine, frame, node));
      });
      return;
    }
    case "event": {
      const frame = find(machine, (candidate) => candidate.effect === input.effect);
      if (frame === undefined) return;
      if (isPrivateEvent(input.event)) frame.private = true;
      const node = machine.definition.task(frame.pointer);
      machine.guard(frame, () => handlerOf(node.kind).event!(machine, frame, node, input.event));
      return;
    }
    case "continue":
      resolve(machine, input.effect, (frame) => {
        delete frame.deferred;
        machine.begin(frame);
      });
      return;
    case "effect_succeeded":
      resolve(machine, input.effect, (frame) => {
        const node = machine.definition.task(frame.pointer);
        if (node.kind === "run" || input.private === true) frame.private = true;
        if (RUNNER_CALLS.has(node.task["call"]) && input.record === true) {
          takeRunnerCall(machine, frame, input.output as JsonObject);
          return;
        }
        machine.guard(frame, () => handlerOf(node.kind).effectSucceeded!(machine, frame, node, input.output));
      });
      return;
    case "effect_failed":
      resolve(machine, input.effect, (frame) => {
        const node = machine.definition.task(frame.pointer);
        const handler = handlerOf(node.kind);
        if (node.kind === "run") frame.private = true;
        if (handler.effectFailed === undefined) machine.fault(frame, input.error);
        else
          machine.guard(frame, () => handler.effectFailed!(machine, frame, node, input.error, input.record));
      });
  }
}

function find(machine: Machine, test: (frame: Frame) => boolean): Frame | undefined {
  return Object.values(machine.instance.frames).find(test);
}

/** The frame that waits for an effect goes on; an effect that nobody waits for any more changes nothing. */
function resolve(machine: Machine, effect: string, go: (frame: Frame) => void): void {
  const frame = find(machine, (candidate) => candidate.effect === effect);
  if (frame === undefined) return;
  delete frame.effect;
  go(frame);
}

function start(machine: Machine, input: Json): void {
  const { instance, definition } = machine;
  instance.status = "running";
  instance.started_at = machine.now;
  instance.raw_input = input;
  instance.input = input;
  machine.note("run.started", null);
  try {
    const declared = definition.document["input"] as JsonObject | undefined;
    if (declared?.["schema"] !== undefined) checkSchema(definition, "/input/schema", input);
    if (declared?.["from"] !== undefined) {
      instance.input = definition.expression("/input/from", declared["from"])(input, {
        variables: scope(machine, null, "workflow-input"),
        now: machine.now,
      });
    }
  } catch (thrown) {
    machine.finish("faulted", null, { ...toTaskError(thrown), instance: "/input" });
    return;
  }
  try {
    startTimeout(machine);
  } catch (thrown) {
    machine.finish("faulted", null, { ...toTaskError(thrown), instance: "/timeout" });
    return;
  }
  const first = definition.list("/do").tasks[0];
  if (first === undefined) machine.endWorkflow(instance.input);
  else machine.enter(first, 0, instance.input, { iteration: [], locals: {} });
}

/** The workflow's own `timeout`, inline or by name, from its start on. */
function startTimeout(machine: Machine): void {
  const { definition, instance } = machine;
  const declared = definition.at("/timeout");
  const named =
    typeof declared === "string" ? definition.at(joinPointer("/use/timeouts", declared)) : declared;
  if (!isObject(named)) return;
  const after = (named as JsonObject)["after"]!;
  const variables = { ...scope(machine, null, "workflow-input"), input: instance.input };
  const evaluate = (text: string) =>
    definition.expression("/timeout/after", text)(instance.input, { variables, now: machine.now });
  instance.timeout = machine.effectId();
  machine.effects.push({
    kind: "timer",
    id: instance.timeout,
    due_at: machine.now + durationOf(after, evaluate),
  });
}
