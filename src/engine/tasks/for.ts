import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { evaluateExpression, truthy } from "../data-flow.ts";
import { fault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import type { Frame } from "../state.ts";
import type { TaskHandler } from "./handler.ts";

/** `for`: the list once for each item; each iteration's input is the output of the one before. */
export const forTask: TaskHandler = {
  begin(machine, frame, node) {
    const loop = node.task["for"] as JsonObject;
    const items = evaluateExpression(machine, frame, "for/in", loop["in"]!);
    if (items !== null && !Array.isArray(items)) {
      throw fault(
        "expression",
        `for.in must give an array, not ${isObject(items) ? "an object" : JSON.stringify(items)}`,
      );
    }
    frame.memory = { items: items ?? [], index: -1 };
    nextIteration(machine, frame, frame.input);
  },
  childCompleted(machine, frame, child, output, directive) {
    const next = machine.nextOf(`${frame.pointer}/do`, child.pointer, directive);
    if (next === null) nextIteration(machine, frame, output);
    else machine.enter(next, frame.id, output, child);
  },
};

function nextIteration(machine: Machine, frame: Frame, input: Json): void {
  const task = machine.definition.task(frame.pointer).task;
  const loop = task["for"] as JsonObject;
  const items = frame.memory["items"] as Json[];
  const index = (frame.memory["index"] as number) + 1;
  frame.memory["index"] = index;
  if (index >= items.length) {
    machine.complete(frame, input);
    return;
  }
  const locals: JsonObject = {
    ...frame.locals,
    [(loop["each"] as string | undefined) ?? "item"]: items[index]!,
    [(loop["at"] as string | undefined) ?? "index"]: index,
  };
  const condition = task["while"];
  if (condition !== undefined) {
    const view: Frame = { ...frame, input, locals };
    if (!truthy(evaluateExpression(machine, view, "while", condition, input))) {
      machine.complete(frame, input);
      return;
    }
  }
  const first = machine.definition.list(`${frame.pointer}/do`).tasks[0];
  const iteration = [...frame.iteration, index];
  if (first === undefined) nextIteration(machine, frame, input);
  else machine.enter(first, frame.id, input, { ...frame, iteration, locals });
}
