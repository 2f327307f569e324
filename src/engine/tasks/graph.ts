import type { Json, JsonObject } from "../../base/json.ts";
import { joinPointer } from "../../workflow/index.ts";
import { evaluateExpression, truthy } from "../data-flow.ts";
import type { Machine } from "../machine.ts";
import type { Frame, TaskError } from "../state.ts";
import type { TaskHandler } from "./handler.ts";

type StepState = "running" | "ended" | "failed" | "unreachable";

/** What the graph remembers: the state of each step that is no longer waiting, and the outputs of those that ended. */
interface Memory {
  states: Record<string, StepState>;
  outputs: JsonObject;
  error: TaskError | null;
}

interface Step {
  readonly name: string;
  readonly needs: readonly string[];
  readonly condition: Json | undefined;
  /** Units that it holds while it runs. */
  readonly resources: Readonly<Record<string, number>>;
}

/**
 * `graph` of the dialect: named steps, each as soon as what it needs has ended. A step's raw input is an object of the
 * needed outputs, or the graph's input where it needs nothing. The output is an object of every step's output.
 */
export const graphTask: TaskHandler = {
  begin(machine, frame) {
    frame.memory = { states: {}, outputs: {}, error: null };
    go(machine, frame);
  },
  childCompleted(machine, frame, child, output) {
    const memory = memoryOf(frame);
    memory.states[child.name] = "ended";
    memory.outputs[child.name] = output;
    go(machine, frame);
  },
  childFaulted(machine, frame, child, error) {
    const memory = memoryOf(frame);
    if (graphOf(machine, frame)["failure"] !== "continue") {
      machine.fault(frame, error);
      return;
    }
    memory.states[child.name] = "failed";
    memory.error ??= error;
    go(machine, frame);
  },
};

const memoryOf = (frame: Frame): Memory => frame.memory as unknown as Memory;

const graphOf = (machine: Machine, frame: Frame): JsonObject =>
  machine.definition.task(frame.pointer).task["graph"] as JsonObject;

function stepsOf(machine: Machine, frame: Frame): Step[] {
  const steps = Object.entries(graphOf(machine, frame)["steps"] as JsonObject) as [string, JsonObject][];
  const priority = ([, step]: [string, JsonObject]) => (step["priority"] as number | undefined) ?? 0;
  // Sorting keeps the order of the document among equals.
  return steps
    .sort((a, b) => priority(b) - priority(a))
    .map(([name, step]) => ({
      name,
      needs: (step["needs"] ?? []) as string[],
      condition: step["if"],
      resources: (step["resources"] ?? {}) as Record<string, number>,
    }));
}

/** What is left of each resource that has an end. */
function unitsLeft(machine: Machine, frame: Frame, steps: readonly Step[]): Record<string, number> {
  const left = { ...(graphOf(machine, frame)["resources"] as Record<string, number> | undefined) };
  for (const { name, resources } of steps) {
    if (memoryOf(frame).states[name] === "running") take(left, resources);
  }
  return left;
}

function take(left: Record<string, number>, resources: Readonly<Record<string, number>>): void {
  for (const [name, units] of Object.entries(resources)) if (name in left) left[name]! -= units;
}

/** Start whatever can start, in the order of the document; end the graph when nothing runs any more. */
function go(machine: Machine, frame: Frame): void {
  const memory = memoryOf(frame);
  const steps = stepsOf(machine, frame);
  const declared = graphOf(machine, frame)["concurrency"];
  const most = typeof declared === "number" ? declared : Number.POSITIVE_INFINITY;
  const left = unitsLeft(machine, frame, steps);
  const fits = (step: Step) =>
    Object.entries(step.resources).every(([name, units]) => !(name in left) || units <= left[name]!);
  let running = Object.values(memory.states).filter((state) => state === "running").length;
  // A step that is skipped, or never can start, may decide about others: look again until nothing changes.
  for (let changed = true; changed; ) {
    changed = false;
    for (const step of steps) {
      if (memory.states[step.name] !== undefined) continue;
      const needs = step.needs.map((need) => memory.states[need]);
      if (needs.some((state) => state === "failed" || state === "unreachable")) {
        memory.states[step.name] = "unreachable";
        changed = true;
      } else if (needs.every((state) => state === "ended") && running < most && fits(step)) {
        if (enterStep(machine, frame, step)) {
          running++;
          take(left, step.resources);
        }
        changed = true;
      }
    }
  }
  if (running > 0) return;
  if (memory.error !== null) machine.fault(frame, memory.error);
  else
    machine.complete(
      frame,
      Object.fromEntries(
        Object.keys(graphOf(machine, frame)["steps"] as JsonObject).map((name) => [
          name,
          memory.outputs[name] ?? null,
        ]),
      ),
    );
}

/** @returns false when the step's condition says to leave it out; its output is null then */
function enterStep(machine: Machine, frame: Frame, step: Step): boolean {
  const memory = memoryOf(frame);
  const input: Json =
    step.needs.length === 0
      ? frame.input
      : Object.fromEntries(step.needs.map((need) => [need, memory.outputs[need] ?? null]));
  const node = machine.definition.task(joinPointer(frame.pointer, "graph", "steps", step.name, "task"));
  if (step.condition !== undefined) {
    const place = joinPointer("graph/steps", step.name, "if");
    if (!truthy(evaluateExpression(machine, { ...frame, input }, place, step.condition))) {
      memory.states[step.name] = "ended";
      memory.outputs[step.name] = null;
      machine.note(
        "step.skipped",
        { ...frame, name: step.name, pointer: node.pointer, visit: 1 },
        { reason: "if" },
      );
      return false;
    }
  }
  memory.states[step.name] = "running";
  machine.enter(node, frame.id, input, frame);
  return true;
}
