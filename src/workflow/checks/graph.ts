import { nearest } from "../../base/nearest.ts";
import { joinPointer } from "../../base/pointer.ts";
import type { Diagnostic } from "../diagnostic.ts";
import { isTask } from "../kind.ts";
import type { GraphStep, WorkflowDocument } from "../schema/index.ts";
import { walkTasks } from "../walk.ts";
import { didYouMean, error } from "./finding.ts";

/** Every need of a graph is one of its steps, and no step waits for itself, however far around. */
export function* checkGraphs(document: WorkflowDocument): Generator<Diagnostic> {
  for (const { task, pointer } of walkTasks(document)) {
    if (!isTask(task, "graph")) continue;
    const steps = new Map(Object.entries(task.graph.steps));
    const stepsPointer = `${pointer}/graph/steps`;
    for (const [name, step] of steps)
      for (const [index, need] of (step.needs ?? []).entries())
        if (!steps.has(need))
          yield error(
            "unknown_need",
            joinPointer(stepsPointer, name, "needs", index),
            `no step \`${need}\` in this graph`,
            didYouMean(nearest(need, steps.keys())),
          );
    for (const [name, step] of steps)
      for (const [resource, units] of Object.entries(step.resources ?? {})) {
        const capacity = task.graph.resources?.[resource];
        if (capacity !== undefined && units > capacity)
          yield error(
            "invalid_value",
            joinPointer(stepsPointer, name, "resources", resource),
            `the step holds ${units} of \`${resource}\`, and there are ${capacity}`,
          );
      }
    const cycle = findCycle(steps);
    if (cycle !== undefined)
      yield error(
        "cycle",
        joinPointer(stepsPointer, cycle[0]!, "needs"),
        `the steps wait for each other: ${[...cycle, cycle[0]].join(" → ")}`,
      );
  }
}

/** The first cycle in the order of the steps; needs that are no step are passed over. */
function findCycle(steps: ReadonlyMap<string, GraphStep>): string[] | undefined {
  const done = new Set<string>();
  for (const start of steps.keys()) {
    // Depth first with a stack of its own: a chain of steps may be as long as the document allows.
    const path: { name: string; needs: string[] }[] = [];
    const onPath = new Set<string>();
    const enter = (name: string) => {
      path.push({ name, needs: (steps.get(name)?.needs ?? []).filter((need) => steps.has(need)) });
      onPath.add(name);
    };
    if (!done.has(start)) enter(start);
    while (path.length > 0) {
      const top = path.at(-1)!;
      const need = top.needs.pop();
      if (need === undefined) {
        done.add(top.name);
        onPath.delete(top.name);
        path.pop();
      } else if (onPath.has(need)) {
        const names = path.map((entry) => entry.name);
        return names.slice(names.indexOf(need));
      } else if (!done.has(need)) enter(need);
    }
  }
  return undefined;
}
