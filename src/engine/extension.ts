import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { joinPointer } from "../workflow/index.ts";
import { evaluateAt, truthy } from "./data-flow.ts";
import type { TaskNode } from "./definition.ts";
import type { Directive, Machine } from "./machine.ts";
import type { Around, Frame } from "./state.ts";

/** `composite` is every task that only holds others and has no word of its own in `extend`. */
const COMPOSITE = new Set(["do", "fork", "graph"]);

/**
 * The extensions of `use.extensions` that apply to a task. What an extension runs is not extended itself, or a logging
 * extension would log its own calls for ever.
 */
export function extensionsOf(machine: Machine, frame: Frame, node: TaskNode): string[] {
  const declared = machine.definition.extensions;
  if (declared.length === 0 || frame.extended !== undefined) return [];
  const found: string[] = [];
  for (const [index, item] of declared.entries()) {
    const name = Object.keys(item)[0]!;
    const extension = item[name];
    if (!isObject(extension)) continue;
    const { extend, when } = extension as JsonObject;
    const fits =
      extend === "all" || extend === node.kind || (extend === "composite" && COMPOSITE.has(node.kind));
    if (!fits) continue;
    const pointer = joinPointer("/use/extensions", index, name);
    if (when === undefined || truthy(evaluateAt(machine, frame, `${pointer}/when`, when)))
      found.push(pointer);
  }
  return found;
}

/**
 * What runs before and after an extended task. Decided where the specification is silent: the lists of several
 * extensions nest (before in the order of the document, after in the reverse); their outputs change nothing, but for
 * `then: exit` in `before`, which puts its task's output in the place of the extended task's and skips what is left.
 */
export function enterBefore(machine: Machine, frame: Frame): void {
  const around = frame.around!;
  for (around.at++; around.at < around.extensions.length; around.at++) {
    if (enterList(machine, frame, `${around.extensions[around.at]}/before`, frame.input)) return;
  }
  around.phase = "task";
  machine.beginTask(frame);
}

/** @returns false when there is nothing (more) to run after the task */
export function enterAfter(machine: Machine, frame: Frame): boolean {
  const around = frame.around!;
  for (around.at--; around.at >= 0; around.at--) {
    if (enterList(machine, frame, `${around.extensions[around.at]}/after`, around.output!)) return true;
  }
  return false;
}

/** A task of an extension's list has ended. */
export function extensionContinues(
  machine: Machine,
  frame: Frame,
  child: Frame,
  output: Json,
  directive: Directive,
): void {
  const around = frame.around as Around;
  const { phase } = around;
  const list = `${around.extensions[around.at]}/${phase}`;
  if (phase === "before" && directive === "exit") {
    machine.finishTask(frame, output);
    return;
  }
  const next = machine.nextOf(list, child.pointer, directive);
  if (next !== null) machine.enter(next, frame.id, output, child);
  else if (phase === "before") enterBefore(machine, frame);
  else if (!enterAfter(machine, frame)) machine.finishTask(frame, around.output!, around.directive);
}

function enterList(machine: Machine, frame: Frame, pointer: string, input: Json): boolean {
  if (machine.definition.at(pointer) === undefined) return false;
  const first = machine.definition.list(pointer).tasks[0];
  if (first === undefined) return false;
  const { iteration, locals } = frame;
  machine.enter(first, frame.id, input, { iteration, locals, extended: frame.id });
  return true;
}
