import { isObject } from "../base/json.ts";
import {
  CALL_SCHEMAS,
  type CallByKind,
  type CallKind,
  type CallTask,
  type Mode,
  TASK_SCHEMAS,
  type Task,
  type TaskByKind,
  type TaskKind,
} from "./schema/index.ts";

const KINDS: readonly TaskKind[] = [...(Object.keys(TASK_SCHEMAS.light) as TaskKind[]), "call"];

/** The kind of a value that may be a task, by the key that tells it apart. */
export function kindOf(value: unknown, mode: Mode = "light"): TaskKind | undefined {
  if (!isObject(value)) return undefined;
  return KINDS.find((kind) => Object.hasOwn(value, kind) && (kind === "call" || kind in TASK_SCHEMAS[mode]));
}

/** The kind of a valid task. */
export function taskKind(task: Task): TaskKind {
  const kind = kindOf(task);
  if (kind === undefined) throw new TypeError("a task without a type passed the schema");
  return kind;
}

/** Narrow a task to its kind. */
export function isTask<K extends TaskKind>(task: Task, kind: K): task is TaskByKind[K] {
  return kindOf(task) === kind;
}

/** `http`, …, or `function` for a name that is none of the mode's calls. */
export function callKind(task: CallTask, mode: Mode = "light"): CallKind {
  return task.call !== "function" && Object.hasOwn(CALL_SCHEMAS[mode], task.call)
    ? (task.call as CallKind)
    : "function";
}

/** Narrow a task to one kind of call; the dialect's names count as calls of their own. */
export function isCall<K extends CallKind>(task: Task, kind: K): task is CallByKind[K] {
  return isTask(task, "call") && callKind(task) === kind;
}

/** Which process a `run` task starts. */
export function runKind(task: TaskByKind["run"]): "shell" | "script" | "container" | "workflow" {
  if ("shell" in task.run) return "shell";
  if ("script" in task.run) return "script";
  return "container" in task.run ? "container" : "workflow";
}
