import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { isExpression } from "../expression/index.ts";
import type { TaskNode } from "./definition.ts";
import type { Machine } from "./machine.ts";
import type { Frame, Instance } from "./state.ts";

/**
 * What came from a tenant's runner (its output, and so its files and logs) is private to the tenant, and so is what may
 * have been made of it: everything after it in its own list and in the lists around it, the context once it was exported,
 * and what a `catch` sees of its error. Nothing takes the mark off again. Values alone carry none, so that the state stays
 * as small as it is: the mark is one of places, and errs towards private.
 */
export const isPrivateBelow = ({ instance }: Machine, parent: Frame | undefined): boolean =>
  parent === undefined
    ? instance.private === true || instance.private_input === true
    : parent.private === true;

/**
 * An event whose data may be private to the tenant says so, where it was emitted; whoever sends one may say so too. What
 * consumes it, or is started by it, is marked as if it had read the data itself.
 */
export const PRIVATE_ATTRIBUTE = "lightflowprivate";

export const isPrivateEvent = (event: JsonObject): boolean =>
  event[PRIVATE_ATTRIBUTE] === true || event[PRIVATE_ATTRIBUTE] === "true";

/** Whether anything in the run may be private: what is told of the run as a whole then may be too. */
export const holdsPrivate = ({ private: own, private_input, private_context, frames }: Instance): boolean =>
  own === true ||
  private_input === true ||
  private_context === true ||
  Object.values(frames).some((frame) => frame.private === true);

/** Where a task holds lists of tasks, which are looked at when they begin themselves. */
const LISTS = [["do"], ["try"], ["catch", "do"], ["fork", "branches"], ["foreach", "do"]];

/** A member of the same name elsewhere is data, which is read. */
function without(value: Json | undefined, [key, ...rest]: readonly string[]): Json | undefined {
  if (!isObject(value) || key === undefined) return value;
  const { [key]: member, ...others } = value as JsonObject;
  if (member === undefined || rest.length === 0) return others;
  return { ...others, [key]: without(member, rest) ?? null };
}

/** A task that names the context reads it, wherever in its definition that stands. */
export function markContextReader({ instance }: Machine, frame: Frame, { task }: TaskNode): void {
  if (instance.private_context !== true || frame.private === true) return;
  const own = LISTS.reduce<Json | undefined>(without, task);
  if (JSON.stringify(own).includes("$context")) frame.private = true;
}

/** A task has ended, well or not: its list, or the task around it, goes on with what it gave. */
export function carryPrivacy({ instance }: Machine, frame: Frame, parent: Frame | undefined): void {
  if (frame.private !== true) return;
  if (parent !== undefined) parent.private = true;
  else if (frame.parent === 0) instance.private = true;
}

/** What reads nothing but the input that the workflow was started with. */
const WORKFLOW_INPUT = /^\s*\$\{\s*\$workflow\.input(?:\.[A-Za-z_]\w*|\[\d+\])*\s*\}\s*$/;

/** Whether what a task evaluates may hold something private to the tenant. */
export function readsPrivate({ instance }: Machine, frame: Frame, template: Json | undefined): boolean {
  if (typeof template === "string") {
    if (!isExpression(template)) return false;
    if (WORKFLOW_INPUT.test(template)) return instance.private_input === true;
    if (frame.private === true || instance.private_input === true) return true;
    return instance.private_context === true && template.includes("$context");
  }
  if (Array.isArray(template))
    return template.some((item) => readsPrivate({ instance } as Machine, frame, item));
  return (
    isObject(template) &&
    Object.values(template as JsonObject).some((item) => readsPrivate({ instance } as Machine, frame, item))
  );
}
