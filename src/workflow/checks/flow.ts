import { nearest } from "../../base/nearest.ts";
import { joinPointer } from "../../base/pointer.ts";
import type { Diagnostic } from "../diagnostic.ts";
import { isTask } from "../kind.ts";
import type { TaskList, WorkflowDocument } from "../schema/index.ts";
import { type TaskSite, walkLists, walkTasks } from "../walk.ts";
import { didYouMean, error, warning } from "./finding.ts";

const DIRECTIVES = ["continue", "exit", "end"];

/** Names are unique in their list, and every `then` goes to a directive or a task of its own list. */
export function* checkFlow(document: WorkflowDocument): Generator<Diagnostic> {
  for (const { tasks, pointer } of walkLists(document)) yield* checkNames(tasks, pointer);
  const everywhere = new Set<string>();
  for (const site of walkTasks(document)) everywhere.add(site.name);
  for (const site of walkTasks(document))
    for (const { target, pointer } of targetsOf(site))
      if (!DIRECTIVES.includes(target)) yield* checkTarget(target, pointer, site, everywhere);
}

function* checkNames(tasks: TaskList, pointer: string): Generator<Diagnostic> {
  const seen = new Set<string>();
  for (const [index, item] of tasks.entries())
    for (const name of Object.keys(item)) {
      const at = joinPointer(pointer, index, name);
      if (seen.has(name)) yield error("duplicate_name", at, `a second task \`${name}\` in the same list`);
      if (DIRECTIVES.includes(name))
        yield warning("reserved_name", at, `no \`then\` can name this task: \`${name}\` is a directive`);
      seen.add(name);
    }
}

/** Where the flow may go after a task. A jump out of `catch` is the try task's own. */
function* targetsOf({ task, pointer }: TaskSite): Generator<{ target: string; pointer: string }> {
  if (task.then !== undefined) yield { target: task.then, pointer: `${pointer}/then` };
  if (isTask(task, "switch"))
    for (const [index, item] of task.switch.entries())
      for (const [name, { then: target }] of Object.entries(item))
        yield { target, pointer: joinPointer(`${pointer}/switch`, index, name, "then") };
  if (isTask(task, "try") && task.catch.then !== undefined)
    yield { target: task.catch.then, pointer: `${pointer}/catch/then` };
}

function* checkTarget(
  target: string,
  pointer: string,
  site: TaskSite,
  everywhere: ReadonlySet<string>,
): Generator<Diagnostic> {
  if (site.list === undefined) {
    yield error(
      "unknown_target",
      pointer,
      `\`${target}\`: there is no list to go on in`,
      "continue, exit or end",
    );
    return;
  }
  const parent = site.parents.at(-1);
  if (parent !== undefined && isTask(parent.task, "fork")) {
    yield error("unknown_target", pointer, "branches run beside each other: one cannot go to another");
    return;
  }
  const names = site.list.tasks.flatMap((item) => Object.keys(item));
  if (names.includes(target)) return;
  const hint = everywhere.has(target)
    ? "it stands in another list, and a task can only go to one of its own"
    : didYouMean(nearest(target, [...names, ...DIRECTIVES]));
  yield error("unknown_target", pointer, `no task \`${target}\` in this list`, hint);
}
