import type { Diagnostic } from "../diagnostic.ts";
import { isTask } from "../kind.ts";
import type { WorkflowDocument } from "../schema/index.ts";
import { walkTasks } from "../walk.ts";
import { warning } from "./finding.ts";

/** Items of the renamed specification, which other engines for DSL 1.0.3 refuse. */
export function* checkNewer(document: WorkflowDocument): Generator<Diagnostic> {
  const newer = (pointer: string, what: string) =>
    warning("newer_than_dsl", pointer, `${what} is newer than DSL 1.0.3: other engines may refuse it`);
  if (document.schedule?.read !== undefined) yield newer("/schedule/read", "`schedule.read`");
  for (const { task, pointer } of walkTasks(document)) {
    if (isTask(task, "for") && typeof task.for.in !== "string")
      yield newer(`${pointer}/for/in`, "a list in `for.in`");
    if (isTask(task, "emit") && task.emit.event.with.source === undefined)
      yield newer(`${pointer}/emit/event/with`, "an event without `source`");
    if (!isTask(task, "try")) continue;
    if (task.catch.then !== undefined) yield newer(`${pointer}/catch/then`, "`catch.then`");
    if (task.catch.errors?.with?.detail !== undefined)
      yield newer(`${pointer}/catch/errors/with/detail`, "the filter `detail` (before: `details`)");
  }
}
