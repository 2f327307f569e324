import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { evaluateTemplate } from "../data-flow.ts";
import type { TaskNode } from "../definition.ts";
import { fault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import type { Frame } from "../state.ts";
import { readsPrivate } from "../taint.ts";

/** Workflows that run each other: deep enough for people, shallow enough for one transaction. */
const MOST_DEEP = 16;

export const runsWorkflow = (node: TaskNode): boolean =>
  node.kind === "run" && isObject((node.task["run"] as JsonObject)["workflow"]);

/** `run: workflow`: a published definition as an instance of its own; with `await: false` nobody waits for it. */
export function beginWorkflow(machine: Machine, frame: Frame, node: TaskNode): void {
  const run = node.task["run"] as JsonObject;
  const declared = run["workflow"] as JsonObject;
  const depth = (machine.instance.depth ?? 0) + 1;
  if (depth > MOST_DEEP)
    throw fault("configuration", `workflows run each other more than ${MOST_DEEP} levels deep`);
  const part = (name: string, otherwise: Json): Json =>
    declared[name] === undefined
      ? otherwise
      : evaluateTemplate(machine, frame, `run/workflow/${name}`, declared[name]);
  const effect = {
    kind: "workflow" as const,
    namespace: String(part("namespace", null)),
    name: String(part("name", null)),
    version: String(part("version", "latest")),
    input: part("input", frame.input),
    depth,
    await: run["await"] !== false,
    ...(readsPrivate(machine, frame, declared["input"] ?? "${ . }") ? { private: true as const } : {}),
  };
  if (effect.await) machine.await(frame, (id) => ({ ...effect, id }));
  else {
    machine.effects.push({ ...effect, id: machine.effectId() });
    machine.complete(frame, frame.input);
  }
}
