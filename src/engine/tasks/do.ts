import type { TaskHandler } from "./handler.ts";

/** `do`: the tasks of a list one after another; its output is that of the last. */
export const doTask: TaskHandler = {
  begin(machine, frame, node) {
    const first = machine.definition.list(`${node.pointer}/do`).tasks[0];
    if (first === undefined) machine.complete(frame, frame.input);
    else machine.enter(first, frame.id, frame.input, frame);
  },
  childCompleted(machine, frame, child, output, directive) {
    const next = machine.nextOf(`${frame.pointer}/do`, child.pointer, directive);
    if (next === null) machine.complete(frame, output);
    else machine.enter(next, frame.id, output, frame);
  },
};
