import type { TSchema } from "@sinclair/typebox";
import { callKind, isCall, isTask, taskKind } from "./kind.ts";
import {
  CALL_SCHEMAS,
  Document,
  Metadata,
  type Mode,
  type SubscriptionIterator,
  TASK_SCHEMAS,
  type Task,
  type WorkflowDocument,
} from "./schema/index.ts";
import { type Place, placesOf } from "./visit.ts";
import { type TaskSite, walkTasks } from "./walk.ts";

/** A place of a document with the names of the arguments (without `$`) that an expression there may use. */
export interface ScopedPlace extends Place {
  readonly declared: readonly string[];
}

/** Every argument of the specification. */
export const ARGUMENTS = [
  "context",
  "input",
  "output",
  "secrets",
  "authorization",
  "task",
  "workflow",
  "runtime",
];

/**
 * The specification's matrix of arguments. It offers `$secrets` in outputs too, where its prose restricts them to
 * inputs; the prose is followed, so that no secret enters outputs, the context, events or errors.
 */
const WORKFLOW_INPUT = ["secrets", "workflow", "runtime"];
const WORKFLOW_OUTPUT = ["context", "workflow", "runtime"];
const TASK_INPUT = ["context", "secrets", "task", "workflow", "runtime"];
const PUBLISHED = ["context", "input", "task", "workflow", "runtime", "authorization"];
const DEFINITION = [...PUBLISHED, "secrets"];
const TASK_EXPORT = [...PUBLISHED, "output"];

/** Every place of a valid document, tasks in the order of `walkTasks` and then the rest. */
export function* documentPlaces(document: WorkflowDocument, mode: Mode): Generator<ScopedPlace> {
  const locals = new Set<string>();
  for (const site of walkTasks(document)) {
    for (const names of Object.values(localsOf(site.task))) for (const name of names) locals.add(name);
    yield* taskPlaces(site, mode);
  }
  // What is defined once for many tasks may use the locals of any of them.
  const rules: Rule[] = [
    ["", [...WORKFLOW_INPUT, "context", "input"]],
    ["/input", WORKFLOW_INPUT],
    ["/output", WORKFLOW_OUTPUT],
    ["/schedule", WORKFLOW_INPUT],
    ["/document/metadata", [...DEFINITION, ...locals]],
    ["/use", [...DEFINITION, ...locals]],
    ["/use/errors", [...PUBLISHED, ...locals]],
  ];
  const { metadata } = document.document;
  if (metadata !== undefined) yield* scoped(placesOf(Metadata, metadata, "/document/metadata"), "", rules);
  for (const key of ["input", "use", "timeout", "output", "schedule"] as const)
    if (document[key] !== undefined)
      yield* scoped(placesOf(Document.properties[key], document[key], `/${key}`), "", rules);
}

/** Pointer inside a task, and the arguments from there on; the last rule that fits holds. */
type Rule = readonly [path: string, names: readonly string[]];

function* scoped(places: Iterable<Place>, base: string, rules: readonly Rule[]): Generator<ScopedPlace> {
  const sets = rules.map(([path, names]) => [`${base}${path}`, names] as const);
  for (const place of places) {
    const rule = sets.findLast(([path]) => place.pointer === path || place.pointer.startsWith(`${path}/`));
    yield { ...place, declared: rule![1] };
  }
}

function* taskPlaces({ task, pointer, parents }: TaskSite, mode: Mode): Generator<ScopedPlace> {
  const outer = parents.flatMap((parent) =>
    Object.entries(localsOf(parent.task)).flatMap(([path, names]) =>
      pointer.startsWith(`${parent.pointer}${path}/`) ? names : [],
    ),
  );
  const rules: Rule[] = [
    ["", [...DEFINITION, ...outer]],
    ["/if", [...TASK_INPUT, ...outer]],
    ["/input", [...TASK_INPUT, ...outer]],
    ["/output", [...PUBLISHED, ...outer]],
    ["/export", [...TASK_EXPORT, ...outer]],
    ["/emit", [...PUBLISHED, ...outer]],
    ["/raise", [...PUBLISHED, ...outer]],
  ];
  for (const [path, names] of Object.entries(localsOf(task))) {
    rules.push([path, [...DEFINITION, ...outer, ...names]]);
    rules.push([`${path}/output`, [...PUBLISHED, ...outer, ...names]]);
    rules.push([`${path}/export`, [...TASK_EXPORT, ...outer, ...names]]);
  }
  yield* scoped(placesOf(schemaOf(task, mode), task, pointer), pointer, rules);
}

function schemaOf(task: Task, mode: Mode): TSchema {
  if (isTask(task, "call")) {
    const schemas: Record<string, TSchema> = CALL_SCHEMAS[mode];
    return schemas[callKind(task, mode)]!;
  }
  const schemas: Record<string, TSchema> = TASK_SCHEMAS[mode];
  return schemas[taskKind(task)]!;
}

/** The variables a task declares, by the pointer inside it from which on they are there. */
export function localsOf(task: Task): Record<string, string[]> {
  if (isTask(task, "for")) {
    const names = [task.for.each ?? "item", task.for.at ?? "index"];
    return { "/while": names, "/do": names };
  }
  if (isTask(task, "map")) return { "/do": [task.map.each ?? "item", task.map.at ?? "index"] };
  if (isTask(task, "try")) return { "/catch": [task.catch.as ?? "error"] };
  if (isTask(task, "listen"))
    return task.foreach === undefined ? {} : { "/foreach": iteratorLocals(task.foreach) };
  if (isCall(task, "asyncapi") && "subscription" in task.with && task.with.subscription.foreach !== undefined)
    return { "/with/subscription/foreach": iteratorLocals(task.with.subscription.foreach) };
  return {};
}

function iteratorLocals(iterator: SubscriptionIterator): string[] {
  return [iterator.item ?? "item", iterator.at ?? "index"];
}
