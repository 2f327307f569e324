import type { Json, JsonObject } from "../base/json.ts";
import { joinPointer } from "../workflow/index.ts";
import { finishData, prepareData, scope } from "./data-flow.ts";
import type { Definition, TaskNode } from "./definition.ts";
import { durationMs } from "./duration.ts";
import { taskError, toTaskError } from "./errors.ts";
import { enterAfter, enterBefore, extensionContinues, extensionsOf } from "./extension.ts";
import { checkSchema } from "./schema.ts";
import {
  type Effect,
  FINISHED,
  type Frame,
  type Instance,
  type TaskError,
  type Transition,
} from "./state.ts";
import { carryPrivacy, isPrivateBelow } from "./taint.ts";
import { handlerOf } from "./tasks/index.ts";
import { runsWorkflow } from "./tasks/run-workflow.ts";

/** Task starts in one advance; the rest waits for the next commit, so that no loop holds the store. */
const STARTS_PER_ADVANCE = 10_000;

/** Where a task says the flow goes on: `continue`, `exit`, `end` or the name of a task of the same list. */
export type Directive = string;

/**
 * One advance in progress: a draft of the instance, and a queue of what is still to do. The queue instead of
 * recursion keeps the depth flat whatever the document's length.
 */
export class Machine {
  readonly definition: Definition;
  readonly instance: Instance;
  /** The input's recorded time; the engine's only clock. */
  readonly now: number;
  readonly effects: Effect[] = [];
  readonly transitions: Transition[] = [];
  /** What tasks gave, at the places of their transitions, for whoever listens for their end. */
  readonly outputs: Json[] = [];
  /** Visits of this advance: an object takes many new names one by one badly. */
  readonly #visits = new Map<string, number>();
  #queue: (() => void)[] = [];
  #starts = 0;

  constructor(definition: Definition, instance: Instance, now: number) {
    this.definition = definition;
    this.instance = instance;
    this.now = now;
  }

  drain(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (FINISHED.has(this.instance.status)) return;
      next();
    }
    if (FINISHED.has(this.instance.status)) return;
    this.instance.status =
      this.effects.length > 0 || Object.keys(this.instance.frames).length > 0 ? "waiting" : "running";
  }

  /** Write down what was kept beside the instance meanwhile. */
  settle(): void {
    for (const [key, visit] of this.#visits) this.instance.visits[key] = visit;
  }

  later(work: () => void): void {
    this.#queue.push(work);
  }

  note(event: string, frame: Frame | null, detail: Json = null): void {
    this.transitions.push({
      event,
      step_id: frame?.name ?? null,
      reference: frame === null ? null : this.reference(frame),
      detail,
    });
  }

  /** Pointer, iteration and visit as one text: `/do/2/each/do/0/build[3]#2`. */
  reference(frame: Frame): string {
    const place = frame.pointer + iterationText(frame.iteration);
    return frame.visit > 1 ? `${place}#${frame.visit}` : place;
  }

  frame(id: number): Frame | undefined {
    // By the number itself: an object keeps such members as an array does. The workflow's own list has no frame.
    return id === 0 ? undefined : this.instance.frames[id];
  }

  /** Create the activation of a task and start it. */
  enter(
    node: TaskNode,
    parent: number,
    raw: Json,
    inherited: { iteration: number[]; locals: JsonObject; extended?: number },
  ): Frame {
    const key = node.pointer + iterationText(inherited.iteration);
    const visit = (this.#visits.get(key) ?? this.instance.visits[key] ?? 0) + 1;
    this.#visits.set(key, visit);
    const frame: Frame = {
      id: this.instance.next_frame++,
      parent,
      pointer: node.pointer,
      name: node.name,
      iteration: inherited.iteration,
      visit,
      raw,
      input: raw,
      locals: inherited.locals,
      started_at: this.now,
      memory: {},
    };
    if (inherited.extended !== undefined) frame.extended = inherited.extended;
    if (isPrivateBelow(this, this.frame(parent))) frame.private = true;
    this.instance.frames[frame.id] = frame;
    if (++this.#starts > STARTS_PER_ADVANCE) {
      frame.deferred = true;
      frame.effect = this.effectId();
      this.effects.push({ kind: "continue", id: frame.effect });
    } else {
      this.later(() => this.begin(frame));
    }
    return frame;
  }

  /** `if`, input, timeout, then the task's own handler. */
  begin(frame: Frame): void {
    if (this.frame(frame.id) === undefined) return;
    const node = this.definition.task(frame.pointer);
    this.guard(frame, () => {
      if (!prepareData(this, frame, node)) {
        this.note("step.skipped", frame, { reason: "if" });
        this.leave(frame);
        this.#tellParent(frame, frame.raw, "continue");
        return;
      }
      this.note("step.started", frame, { kind: node.kind });
      // A runner counts its task's own deadline down; a second timer here would race with its report.
      const timeout = node.kind === "run" && !runsWorkflow(node) ? null : this.timeoutOf(node, frame);
      if (timeout !== null) {
        frame.timeout = this.effectId();
        this.effects.push({ kind: "timer", id: frame.timeout, due_at: this.now + timeout });
      }
      const extensions = extensionsOf(this, frame, node);
      if (extensions.length === 0) this.beginTask(frame);
      else {
        frame.around = { extensions, phase: "before", at: -1 };
        enterBefore(this, frame);
      }
    });
  }

  /** The task itself, after whatever stands before it. */
  beginTask(frame: Frame): void {
    const node = this.definition.task(frame.pointer);
    this.guard(frame, () => handlerOf(node.kind).begin(this, frame, node));
  }

  /** The task's own `timeout`, inline or by name, in milliseconds. */
  timeoutOf(node: TaskNode, frame: Frame): number | null {
    const timeout = node.task["timeout"];
    if (timeout === undefined) return null;
    const named =
      typeof timeout === "string" ? this.definition.at(joinPointer("/use/timeouts", timeout)) : timeout;
    const after = (named as JsonObject | undefined)?.["after"];
    return after === undefined ? null : durationMs(this, frame, "timeout/after", after);
  }

  /** The task has its raw output; what its extensions run after it comes first. */
  complete(frame: Frame, rawOutput: Json, directive?: Directive): void {
    const { around } = frame;
    if (around === undefined) {
      this.finishTask(frame, rawOutput, directive);
      return;
    }
    around.phase = "after";
    around.at = around.extensions.length;
    around.output = rawOutput;
    if (directive !== undefined) around.directive = directive;
    if (!enterAfter(this, frame)) this.finishTask(frame, rawOutput, directive);
  }

  /** Shape the output, export, and tell the parent. */
  finishTask(frame: Frame, rawOutput: Json, directive?: Directive): void {
    const node = this.definition.task(frame.pointer);
    this.guard(frame, () => {
      const output = finishData(this, frame, node, rawOutput);
      this.leave(frame);
      this.note("step.succeeded", frame, { duration_ms: this.now - frame.started_at });
      this.outputs[this.transitions.length - 1] = output;
      this.#tellParent(frame, output, directive ?? (node.task["then"] as string | undefined) ?? "continue");
    });
  }

  /** The task ends with an error; whatever runs below it is cancelled. The nearest catch may take it. */
  fault(frame: Frame, error: TaskError): void {
    const located: TaskError = { ...error, instance: error.instance ?? frame.pointer };
    this.cancelBelow(frame);
    this.leave(frame);
    this.note("step.failed", frame, {
      duration_ms: this.now - frame.started_at,
      error: located as unknown as Json,
    });
    this.later(() => {
      const parent = this.frame(frame.parent);
      carryPrivacy(this, frame, parent);
      if (parent === undefined) {
        this.finish("faulted", null, located);
        return;
      }
      const handler = handlerOf(this.definition.task(parent.pointer).kind);
      // A `try` catches what its own list throws, not what its extensions do.
      if (handler.childFaulted === undefined || inExtension(parent)) this.fault(parent, located);
      else this.guard(parent, () => handler.childFaulted!(this, parent, frame, located));
    });
  }

  /** Run a handler; what it throws faults the frame. */
  guard(frame: Frame, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.fault(frame, toTaskError(thrown));
    }
  }

  #tellParent(frame: Frame, output: Json, directive: Directive): void {
    this.later(() => {
      if (directive === "end") {
        if (frame.private === true) this.instance.private = true;
        this.endWorkflow(output);
        return;
      }
      const parent = this.frame(frame.parent);
      carryPrivacy(this, frame, parent);
      if (parent === undefined) {
        if (frame.parent === 0) this.#rootChild(frame, output, directive);
        return;
      }
      const handler = handlerOf(this.definition.task(parent.pointer).kind);
      this.guard(parent, () => {
        if (inExtension(parent)) extensionContinues(this, parent, frame, output, directive);
        else handler.childCompleted!(this, parent, frame, output, directive);
      });
    });
  }

  /** The workflow's own list has no frame of its own: the instance is it. */
  #rootChild(frame: Frame, output: Json, directive: Directive): void {
    const next = this.nextOf("/do", frame.pointer, directive);
    if (next === null) this.endWorkflow(output);
    else this.enter(next, 0, output, { iteration: [], locals: {} });
  }

  /** Which task of a list follows, or null at its end. */
  nextOf(listPointer: string, pointer: string, directive: Directive): TaskNode | null {
    const list = this.definition.list(listPointer);
    if (directive === "exit") return null;
    if (directive !== "continue") {
      const target = list.index.get(directive);
      if (target === undefined) throw new Error(`unknown task ${directive} in ${listPointer}`);
      return list.tasks[target]!;
    }
    return list.next.get(pointer) ?? null;
  }

  endWorkflow(output: Json): void {
    try {
      const definition = this.definition.document["output"] as JsonObject | undefined;
      const as = definition?.["as"];
      const final =
        as === undefined
          ? output
          : this.definition.expression("/output/as", as)(output, {
              variables: scope(this, null, "workflow-output"),
              now: this.now,
            });
      if (definition?.["schema"] !== undefined) checkSchema(this.definition, "/output/schema", final);
      this.finish("completed", final);
    } catch (thrown) {
      this.finish("faulted", null, { ...toTaskError(thrown), instance: "/output" });
    }
  }

  finish(status: "completed" | "faulted" | "cancelled", output: Json, error?: TaskError): void {
    for (const frame of Object.values(this.instance.frames)) this.#drop(frame);
    this.instance.frames = {};
    this.instance.visits = {};
    this.#visits.clear();
    if (this.instance.timeout !== undefined) {
      this.cancelEffect(this.instance.timeout);
      delete this.instance.timeout;
    }
    this.instance.status = status;
    this.instance.output = output;
    if (error !== undefined) this.instance.error = error;
    const name = { completed: "run.succeeded", faulted: "run.failed", cancelled: "run.cancelled" }[status];
    const detail: JsonObject = { duration_ms: this.now - this.instance.started_at };
    if (error !== undefined) detail["error"] = error as unknown as Json;
    this.note(name, null, detail);
  }

  /** Take a frame off, with what it waits for. */
  leave(frame: Frame): void {
    this.#drop(frame);
    delete this.instance.frames[frame.id];
  }

  #drop(frame: Frame): void {
    for (const effect of [frame.effect, frame.timeout, frame.timer]) {
      if (effect !== undefined) this.cancelEffect(effect);
    }
  }

  /** An effect asked for in this very advance is taken back; an older one is cancelled. */
  cancelEffect(id: string): void {
    const position = this.effects.findIndex((effect) => effect.id === id && effect.kind !== "cancel");
    if (position >= 0) this.effects.splice(position, 1);
    else this.effects.push({ kind: "cancel", id });
  }

  /** Cancel every activation below a frame, deepest first. */
  cancelBelow(frame: Frame): void {
    const children = Object.values(this.instance.frames).filter((candidate) => candidate.parent === frame.id);
    for (const child of children) {
      this.cancelBelow(child);
      this.leave(child);
      this.note("step.cancelled", child);
    }
  }

  /** Ask for an effect and wait for it. */
  await(frame: Frame, make: (id: string) => Effect): void {
    const id = this.effectId();
    frame.effect = id;
    this.effects.push(make(id));
  }

  effectId(): string {
    return `e${this.instance.next_effect++}`;
  }

  timedOut(frame: Frame): void {
    delete frame.timeout;
    this.fault(frame, taskError("timeout", `the task ran past its timeout`));
  }
}

const iterationText = (iteration: readonly number[]): string =>
  iteration.length === 0 ? "" : iteration.map((index) => `[${index}]`).join("");

const inExtension = (frame: Frame): boolean => frame.around !== undefined && frame.around.phase !== "task";
