import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { joinPointer } from "../../workflow/index.ts";
import { evaluateTemplate } from "../data-flow.ts";
import { fault } from "../errors.ts";
import type { TaskError } from "../state.ts";
import type { TaskHandler } from "./handler.ts";

/** `raise`: end with a given error; its `instance` is the task's own pointer unless it names another. */
export const raiseTask: TaskHandler = {
  begin(machine, frame, node) {
    const declared = (node.task["raise"] as JsonObject)["error"] as Json;
    const definition =
      typeof declared === "string" ? machine.definition.at(joinPointer("/use/errors", declared)) : declared;
    if (!isObject(definition)) throw fault("configuration", `no error is named ${JSON.stringify(declared)}`);
    const error = evaluateTemplate(
      machine,
      frame,
      "raise/error",
      definition as JsonObject,
    ) as unknown as TaskError;
    machine.fault(frame, error);
  },
};
