import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { joinPointer } from "../../workflow/index.ts";
import { evaluateExpression, truthy } from "../data-flow.ts";
import { durationMs } from "../duration.ts";
import { normalizeErrorType, taskError } from "../errors.ts";
import type { Machine } from "../machine.ts";
import type { Frame, TaskError } from "../state.ts";
import type { TaskHandler } from "./handler.ts";

/**
 * `try`: a list whose error `catch` may take. Decided where the specification is silent: the first run does not
 * count as an attempt of the retry limit; linear delay is `delay × n`, exponential `delay × 2^(n−1)`; `catch.do` runs
 * once, after retries are exhausted; without `catch.do` an exhausted or uncaught error goes on.
 */
export const tryTask: TaskHandler = {
  begin(machine, frame) {
    frame.memory = { phase: "try", retries: 0 };
    attempt(machine, frame);
  },
  childCompleted(machine, frame, child, output, directive) {
    const list = frame.memory["phase"] === "catch" ? `${frame.pointer}/catch/do` : `${frame.pointer}/try`;
    const next = machine.nextOf(list, child.pointer, directive);
    if (next === null) machine.complete(frame, output, afterCatch(machine, frame));
    else machine.enter(next, frame.id, output, child);
  },
  childFaulted(machine, frame, _child, error) {
    endAttempt(machine, frame);
    const clause = (machine.definition.task(frame.pointer).task["catch"] ?? {}) as JsonObject;
    if (frame.memory["phase"] === "catch" || !catches(machine, frame, clause, error)) {
      machine.fault(frame, error);
      return;
    }
    machine.cancelBelow(frame);
    const delay = retryDelay(machine, frame, clause, error);
    if (delay !== null) {
      frame.memory["retries"] = (frame.memory["retries"] as number) + 1;
      frame.memory["phase"] = "delay";
      machine.note("step.retried", frame, { retry: frame.memory["retries"], delay_ms: delay });
      machine.await(frame, (id) => ({ kind: "timer", id, due_at: machine.now + delay }));
      return;
    }
    if (clause["do"] === undefined) {
      if (clause["retry"] === undefined)
        machine.complete(frame, frame.input, clause["then"] as string | undefined);
      else machine.fault(frame, error);
      return;
    }
    frame.memory["phase"] = "catch";
    enterList(machine, frame, "catch/do", frame.input, withError(frame, clause, error));
  },
  timer(machine, frame) {
    if (frame.memory["phase"] === "delay") {
      frame.memory["phase"] = "try";
      attempt(machine, frame);
      return;
    }
    const late = taskError("timeout", "the attempt took longer than its limit");
    tryTask.childFaulted!(machine, frame, frame, { ...late, instance: frame.pointer });
  },
};

/** Run the list, for as long as one attempt may take. */
function attempt(machine: Machine, frame: Frame): void {
  const found = retryPolicy(machine, frame);
  const limit = ((found?.policy["limit"] ?? {}) as JsonObject)["attempt"] as JsonObject | undefined;
  if (limit?.["duration"] !== undefined) {
    const place = `${found!.place}/limit/attempt/duration`;
    const due = machine.now + durationMs(machine, frame, place, limit["duration"]);
    frame.timer = machine.effectId();
    machine.effects.push({ kind: "timer", id: frame.timer, due_at: due });
  }
  enterList(machine, frame, "try", frame.input);
}

function endAttempt(machine: Machine, frame: Frame): void {
  if (frame.timer === undefined) return;
  machine.cancelEffect(frame.timer);
  delete frame.timer;
}

/** The `retry` of the clause, inline or by its name, and where it is for expressions. */
function retryPolicy(machine: Machine, frame: Frame): { policy: JsonObject; place: string } | null {
  const clause = (machine.definition.task(frame.pointer).task["catch"] ?? {}) as JsonObject;
  const declared = clause["retry"];
  const named = typeof declared === "string";
  const policy = named ? machine.definition.at(joinPointer("/use/retries", declared)) : declared;
  if (!isObject(policy)) return null;
  return { policy: policy as JsonObject, place: named ? `catch/retry/${declared}` : "catch/retry" };
}

function afterCatch(machine: Machine, frame: Frame): string | undefined {
  if (frame.memory["phase"] !== "catch") return undefined;
  const clause = machine.definition.task(frame.pointer).task["catch"] as JsonObject;
  return clause["then"] as string | undefined;
}

function withError(frame: Frame, clause: JsonObject, error: TaskError): JsonObject {
  return { ...frame.locals, [(clause["as"] as string | undefined) ?? "error"]: error as unknown as Json };
}

function enterList(machine: Machine, frame: Frame, place: string, input: Json, locals = frame.locals): void {
  const first = machine.definition.list(`${frame.pointer}/${place}`).tasks[0];
  if (first === undefined) machine.complete(frame, input);
  else machine.enter(first, frame.id, input, { ...frame, locals });
}

function holds(machine: Machine, frame: Frame, place: string, condition: Json | undefined): boolean | null {
  return condition === undefined ? null : truthy(evaluateExpression(machine, frame, place, condition));
}

function catches(machine: Machine, frame: Frame, clause: JsonObject, error: TaskError): boolean {
  const filter = (clause["errors"] as JsonObject | undefined)?.["with"];
  if (isObject(filter)) {
    for (const [field, expected] of Object.entries(filter as JsonObject)) {
      const key = field === "details" ? "detail" : field;
      const actual = error[key as keyof TaskError];
      if (key === "type") {
        if (normalizeErrorType(String(expected)) !== normalizeErrorType(error.type)) return false;
      } else if (actual !== expected) return false;
    }
  }
  const view: Frame = { ...frame, locals: withError(frame, clause, error) };
  if (holds(machine, view, "catch/when", clause["when"]) === false) return false;
  return holds(machine, view, "catch/exceptWhen", clause["exceptWhen"]) !== true;
}

/** Milliseconds until the next try, or null when there is none. */
function retryDelay(machine: Machine, frame: Frame, clause: JsonObject, error: TaskError): number | null {
  const found = retryPolicy(machine, frame);
  if (found === null) return null;
  const { policy: retry, place } = found;
  const view: Frame = { ...frame, locals: withError(frame, clause, error) };
  if (holds(machine, view, `${place}/when`, retry["when"]) === false) return null;
  if (holds(machine, view, `${place}/exceptWhen`, retry["exceptWhen"]) === true) return null;
  const n = (frame.memory["retries"] as number) + 1;
  const limit = (retry["limit"] ?? {}) as JsonObject;
  const count = (limit["attempt"] as JsonObject | undefined)?.["count"];
  if (typeof count === "number" && n > count) return null;
  const base =
    retry["delay"] === undefined ? 0 : durationMs(machine, frame, `${place}/delay`, retry["delay"]);
  const backoff = (retry["backoff"] ?? {}) as JsonObject;
  let delay = base;
  if ("linear" in backoff) delay = base * n;
  if ("exponential" in backoff) delay = base * 2 ** Math.min(n - 1, 30);
  const jitter = retry["jitter"] as JsonObject | undefined;
  if (jitter !== undefined) {
    const from = durationMs(machine, frame, `${place}/jitter/from`, jitter["from"]!);
    const to = durationMs(machine, frame, `${place}/jitter/to`, jitter["to"]!);
    delay += Math.round(from + (to - from) * fraction(`${machine.instance.id}${frame.id}/${n}`));
  }
  const total = limit["duration"];
  if (total !== undefined) {
    const end = frame.started_at + durationMs(machine, frame, `${place}/limit/duration`, total);
    if (machine.now + delay > end) return null;
  }
  return delay;
}

/** A number in [0, 1) that is the same at every replay: FNV-1a over the text, its bits mixed as MurmurHash3 ends. */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  // The last characters, in which tries differ, would else move little.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
