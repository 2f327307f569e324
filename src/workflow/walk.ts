import { joinPointer } from "../base/pointer.ts";
import { isCall, isTask } from "./kind.ts";
import type { Task, TaskList, WorkflowDocument } from "./schema/index.ts";

/** A task where it stands. */
export interface TaskSite {
  readonly task: Task;
  readonly name: string;
  /** `/do/0/build`: the task's reference in errors and events. */
  readonly pointer: string;
  /** The list it stands in, with its pointer; none for a function and a graph step. */
  readonly list?: { readonly tasks: TaskList; readonly pointer: string; readonly index: number };
  /** From the outermost task inwards. */
  readonly parents: readonly TaskSite[];
}

/** Every task of a document, each before the tasks inside it, in the order they are written. */
export function* walkTasks(document: WorkflowDocument): Generator<TaskSite> {
  for (const [name, task] of Object.entries(document.use?.functions ?? {}))
    yield* walkTask({ task, name, pointer: joinPointer("/use/functions", name), parents: [] });
  for (const [index, item] of (document.use?.extensions ?? []).entries())
    for (const [name, extension] of Object.entries(item)) {
      const pointer = joinPointer("/use/extensions", index, name);
      if (extension.before) yield* walkList(extension.before, `${pointer}/before`, []);
      if (extension.after) yield* walkList(extension.after, `${pointer}/after`, []);
    }
  yield* walkList(document.do, "/do", []);
}

/** Every task list that is not empty, in the same order. */
export function* walkLists(document: WorkflowDocument): Generator<NonNullable<TaskSite["list"]>> {
  for (const { list } of walkTasks(document)) if (list?.index === 0) yield list;
}

function* walkList(tasks: TaskList, pointer: string, parents: readonly TaskSite[]): Generator<TaskSite> {
  for (const [index, item] of tasks.entries())
    for (const [name, task] of Object.entries(item))
      yield* walkTask({
        task,
        name,
        pointer: joinPointer(pointer, index, name),
        list: { tasks, pointer, index },
        parents,
      });
}

function* walkTask(site: TaskSite): Generator<TaskSite> {
  yield site;
  const parents = [...site.parents, site];
  for (const { tasks, pointer } of childLists(site.task, site.pointer))
    yield* walkList(tasks, pointer, parents);
  if (isTask(site.task, "graph"))
    for (const [name, step] of Object.entries(site.task.graph.steps)) {
      const pointer = joinPointer(site.pointer, "graph", "steps", name, "task");
      yield* walkTask({ task: step.task, name, pointer, parents });
    }
}

/** The task lists directly inside a task, in the order they are written. */
export function childLists(task: Task, pointer: string): { tasks: TaskList; pointer: string }[] {
  const lists: { tasks: TaskList | undefined; pointer: string }[] = [];
  if (isTask(task, "for") || isTask(task, "map") || isTask(task, "do"))
    lists.push({ tasks: task.do, pointer: `${pointer}/do` });
  else if (isTask(task, "fork"))
    lists.push({ tasks: task.fork.branches, pointer: `${pointer}/fork/branches` });
  else if (isTask(task, "try")) {
    lists.push({ tasks: task.try, pointer: `${pointer}/try` });
    lists.push({ tasks: task.catch.do, pointer: `${pointer}/catch/do` });
  } else if (isTask(task, "listen"))
    lists.push({ tasks: task.foreach?.do, pointer: `${pointer}/foreach/do` });
  else if (isCall(task, "asyncapi") && "subscription" in task.with)
    lists.push({
      tasks: task.with.subscription.foreach?.do,
      pointer: `${pointer}/with/subscription/foreach/do`,
    });
  return lists.filter((list): list is { tasks: TaskList; pointer: string } => list.tasks !== undefined);
}
