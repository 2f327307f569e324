import type { Json, JsonObject } from "../../base/json.ts";
import { scope } from "../data-flow.ts";
import type { Directive, Machine } from "../machine.ts";
import { checkSchema } from "../schema.ts";
import type { Frame } from "../state.ts";

/** What a task remembers that takes events or messages one after another. */
export interface MessageMemory {
  /** What it gives: what was consumed, or with `foreach` what each iteration gave. */
  outputs: Json[];
  /** What waits for its iteration. */
  queue: Json[];
  running: boolean;
  /** Nothing more will come. */
  done: boolean;
  /** How many iterations began. */
  begun?: number;
}

/** The `foreach` of a task, where it stands. */
export interface MessageLoop {
  readonly loop: JsonObject;
  readonly pointer: string;
  /** What has no end keeps nothing of each round. */
  readonly endless: boolean;
}

const memoryOf = (frame: Frame): MessageMemory => frame.memory as unknown as MessageMemory;

/** Begin the next iteration, or complete the task when nothing is left and nothing more will come. */
export function goOn(machine: Machine, frame: Frame, each: MessageLoop | null): void {
  const memory = memoryOf(frame);
  if (memory.running) return;
  const item = memory.queue.shift();
  if (item === undefined || each === null) {
    if (memory.done) machine.complete(frame, memory.outputs);
    return;
  }
  const { loop, pointer, endless } = each;
  const index = memory.begun ?? 0;
  memory.begun = index + 1;
  const locals: JsonObject = {
    ...frame.locals,
    [(loop["item"] as string | undefined) ?? "item"]: item,
    [(loop["at"] as string | undefined) ?? "index"]: index,
  };
  const iteration = endless ? frame.iteration : [...frame.iteration, index];
  const first = loop["do"] === undefined ? undefined : machine.definition.list(`${pointer}/do`).tasks[0];
  if (first === undefined) endIteration(machine, frame, each, { ...frame, locals }, item);
  else {
    memory.running = true;
    machine.enter(first, frame.id, frame.input, { ...frame, iteration, locals });
  }
}

/** A task of the loop's list has ended. */
export function iterationContinues(
  machine: Machine,
  frame: Frame,
  each: MessageLoop,
  child: Frame,
  output: Json,
  directive: Directive,
): void {
  const next = machine.nextOf(`${each.pointer}/do`, child.pointer, directive);
  if (next !== null) machine.enter(next, frame.id, output, child);
  else endIteration(machine, frame, each, child, output);
}

/** `foreach.output` and `foreach.export`, then the next one. */
function endIteration(machine: Machine, frame: Frame, each: MessageLoop, last: Frame, output: Json): void {
  const { loop, pointer, endless } = each;
  const memory = memoryOf(frame);
  const view: Frame = { ...frame, locals: last.locals };
  const shape = (name: "output" | "export", value: Json): Json => {
    const declared = (loop[name] ?? {}) as JsonObject;
    const { as, schema } = declared;
    let shaped = value;
    if (as !== undefined) {
      const variables = scope(machine, view, name, { output: value });
      shaped = machine.definition.expression(`${pointer}/${name}/as`, as)(value, {
        variables,
        now: machine.now,
      });
    }
    if (schema !== undefined) checkSchema(machine.definition, `${pointer}/${name}/schema`, shaped);
    return shaped;
  };
  const shaped = shape("output", output);
  if (loop["export"] !== undefined) {
    machine.instance.context = shape("export", shaped);
    if (frame.private === true) machine.instance.private_context = true;
  }
  if (!endless) memory.outputs.push(shaped);
  memory.running = false;
  goOn(machine, frame, each);
}
