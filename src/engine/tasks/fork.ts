import type { Json, JsonObject } from "../../base/json.ts";
import type { TaskHandler } from "./handler.ts";

/**
 * `fork`: every branch at once on the same input. Output: an array in the order of declaration, or, when branches
 * compete, the output of the first that completes, the others cancelled. A branch that fails cancels its siblings.
 */
export const forkTask: TaskHandler = {
  begin(machine, frame, node) {
    const branches = machine.definition.list(`${node.pointer}/fork/branches`).tasks;
    frame.memory = { outputs: branches.map(() => null), open: branches.length };
    if (branches.length === 0) machine.complete(frame, []);
    for (const branch of branches) machine.enter(branch, frame.id, frame.input, frame);
  },
  childCompleted(machine, frame, child, output) {
    const fork = machine.definition.task(frame.pointer).task["fork"] as JsonObject;
    if (fork["compete"] === true) {
      machine.cancelBelow(frame);
      machine.complete(frame, output);
      return;
    }
    const branches = machine.definition.list(`${frame.pointer}/fork/branches`).tasks;
    const position = branches.findIndex((branch) => branch.pointer === child.pointer);
    const outputs = frame.memory["outputs"] as Json[];
    outputs[position] = output;
    frame.memory["open"] = (frame.memory["open"] as number) - 1;
    if (frame.memory["open"] === 0) machine.complete(frame, outputs);
  },
};
