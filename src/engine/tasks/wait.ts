import { durationMs } from "../duration.ts";
import type { TaskHandler } from "./handler.ts";

/** `wait`: a timer; the output is the input. */
export const waitTask: TaskHandler = {
  begin(machine, frame, node) {
    const due = machine.now + durationMs(machine, frame, "wait", node.task["wait"]!);
    machine.await(frame, (id) => ({ kind: "timer", id, due_at: due }));
  },
  timer(machine, frame) {
    machine.complete(frame, frame.input);
  },
};
