import type { JsonObject } from "../../base/json.ts";
import { evaluateExpression, truthy } from "../data-flow.ts";
import type { TaskHandler } from "./handler.ts";

/** `switch`: the first case that matches says where to go; one without `when` is the default; none, the task's own `then`. */
export const switchTask: TaskHandler = {
  begin(machine, frame, node) {
    const cases = node.task["switch"] as JsonObject[];
    for (const [position, entry] of cases.entries()) {
      const name = Object.keys(entry)[0]!;
      const branch = entry[name] as JsonObject;
      const when = branch["when"];
      if (when === undefined || truthy(evaluateExpression(machine, frame, `switch/${position}/when`, when))) {
        machine.note("step.switched", frame, { case: name, then: branch["then"] ?? null });
        machine.complete(frame, frame.input, branch["then"] as string);
        return;
      }
    }
    machine.complete(frame, frame.input);
  },
};
