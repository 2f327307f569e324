import { evaluateTemplate } from "../data-flow.ts";
import type { TaskHandler } from "./handler.ts";

/** `set`: the output is the evaluated value. */
export const setTask: TaskHandler = {
  begin(machine, frame, node) {
    machine.complete(frame, evaluateTemplate(machine, frame, "set", node.task["set"]!));
  },
};
