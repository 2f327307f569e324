import type { Json, JsonObject } from "../../base/json.ts";
import type { TaskNode } from "../definition.ts";
import type { Directive, Machine } from "../machine.ts";
import type { Frame, TaskError } from "../state.ts";

/** What one kind of task does. A handler keeps what it must remember in `frame.memory`. */
export interface TaskHandler {
  begin(machine: Machine, frame: Frame, node: TaskNode): void;
  childCompleted?(machine: Machine, frame: Frame, child: Frame, output: Json, directive: Directive): void;
  /** Without it a child's error goes on to the parent. */
  childFaulted?(machine: Machine, frame: Frame, child: Frame, error: TaskError): void;
  effectSucceeded?(machine: Machine, frame: Frame, node: TaskNode, output: Json): void;
  /** Without it the task faults with the effect's error. */
  effectFailed?(
    machine: Machine,
    frame: Frame,
    node: TaskNode,
    error: TaskError,
    record: JsonObject | undefined,
  ): void;
  /** An event that the task's effect may be about; the effect stays. */
  event?(machine: Machine, frame: Frame, node: TaskNode, event: JsonObject): void;
  timer?(machine: Machine, frame: Frame, node: TaskNode): void;
}
