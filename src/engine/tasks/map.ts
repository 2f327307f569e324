import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { evaluateExpression } from "../data-flow.ts";
import { fault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import type { Frame } from "../state.ts";
import type { TaskHandler } from "./handler.ts";

interface Memory {
  items: Json[];
  outputs: Json[];
  /** The first item that has not begun. */
  next: number;
  running: number;
}

const memoryOf = (frame: Frame): Memory => frame.memory as unknown as Memory;

/**
 * `map` of the dialect: the list once for each item, at most `concurrency` at a time. An iteration that fails cancels
 * the others and fails the task.
 */
export const mapTask: TaskHandler = {
  begin(machine, frame, node) {
    const { in: source } = node.task["map"] as JsonObject;
    const items = evaluateExpression(machine, frame, "map/in", source!);
    if (items !== null && !Array.isArray(items)) {
      throw fault(
        "expression",
        `map.in must give an array, not ${isObject(items) ? "an object" : JSON.stringify(items)}`,
      );
    }
    const list = items ?? [];
    frame.memory = { items: list, outputs: list.map(() => null), next: 0, running: 0 };
    go(machine, frame);
  },
  childCompleted(machine, frame, child, output, directive) {
    const next = machine.nextOf(`${frame.pointer}/do`, child.pointer, directive);
    if (next !== null) {
      machine.enter(next, frame.id, output, child);
      return;
    }
    const memory = memoryOf(frame);
    memory.outputs[child.iteration.at(-1)!] = output;
    memory.running--;
    go(machine, frame);
  },
};

function go(machine: Machine, frame: Frame): void {
  const memory = memoryOf(frame);
  const loop = machine.definition.task(frame.pointer).task["map"] as JsonObject;
  const most = typeof loop["concurrency"] === "number" ? loop["concurrency"] : Number.POSITIVE_INFINITY;
  const first = machine.definition.list(`${frame.pointer}/do`).tasks[0];
  for (; first !== undefined && memory.next < memory.items.length && memory.running < most; memory.next++) {
    const index = memory.next;
    const locals: JsonObject = {
      ...frame.locals,
      [(loop["each"] as string | undefined) ?? "item"]: memory.items[index]!,
      [(loop["at"] as string | undefined) ?? "index"]: index,
    };
    memory.running++;
    machine.enter(first, frame.id, frame.input, {
      iteration: [...frame.iteration, index],
      locals,
    });
  }
  if (memory.running === 0) machine.complete(frame, memory.outputs);
}
