import type { DefinitionMap } from "./definition/read.ts";
import type { StepTarget, WorkflowDef, WorkflowStepDef } from "./definition/types.ts";
import type { Problems } from "./diagnostics.ts";
import { nearest } from "./nearest.ts";

/**
 * Check what the parts of a definition say of each other: where the flow goes, the inputs and steps that
 * expressions name, ports beside a schema. Problems are gathered.
 */
export function checkWiring(definition: WorkflowDef, map: DefinitionMap, problems: Problems): void {
  const ids = definition.steps.map((step) => step.step_id);
  const ports = definition.inputs === undefined ? undefined : Object.keys(definition.inputs);
  if (ports !== undefined && definition.input_schema !== null) {
    problems.add(
      "value_invalid",
      map.methodOffset("inputSchema"),
      "the workflow has typed inputs and an input schema",
      "state the inputs once: by input() or by inputSchema()",
    );
  }
  const goTo = (step: WorkflowStepDef, then: string, path: string[]): void => {
    if (["continue", "exit", "end"].includes(then) || ids.includes(then)) return;
    problems.add(
      "step_unknown",
      map.stepOffset(step.step_id, path),
      `there is no step ${then} to go to`,
      `write a step's id, continue, exit or end${nearest(then, ids, "; did you mean ")}`,
    );
  };
  const names = (offset: () => number, expression: string): void => {
    const used = namesIn(expression);
    for (const name of ports === undefined ? [] : used.inputs) {
      if (ports!.includes(name)) continue;
      const hint = `known inputs: ${ports!.join(", ")}${nearest(name, ports!, "; did you mean ")}`;
      problems.add("input_unknown", offset(), `there is no input ${name}`, hint);
    }
    for (const name of used.steps) {
      if (ids.includes(name)) continue;
      const hint = `known steps: ${ids.join(", ")}${nearest(name, ids, "; did you mean ")}`;
      problems.add("step_unknown", offset(), `there is no step ${name}`, hint);
    }
  };
  for (const step of definition.steps) {
    const id = step.step_id;
    if (step.then !== undefined) goTo(step, step.then, ["then"]);
    if (step.if !== undefined) names(() => map.stepOffset(id, ["if"]), step.if);
    if (step.target.kind === "switch") {
      for (const [index, item] of step.target.cases.entries()) goTo(step, item.then, [String(index), "then"]);
    }
    for (const [path, text] of expressionsIn(bodyOf(step.target)))
      names(() => map.stepOffset(id, path), text);
    if (step.request?.kind === "json") {
      for (const [path, text] of expressionsIn(step.request.body)) {
        names(() => map.stepOffset(id, ["request", ...path]), text);
      }
    } else if (
      step.request !== undefined &&
      ports !== undefined &&
      !ports.includes(step.request.input_field)
    ) {
      const field = step.request.input_field;
      problems.add(
        "input_unknown",
        map.stepOffset(id),
        `there is no input ${field}`,
        `known inputs: ${ports.join(", ")}${nearest(field, ports, "; did you mean ")}`,
      );
    }
  }
  for (const [, text] of expressionsIn(definition.output)) names(() => map.methodOffset("output"), text);
}

/** The part of a target that its step's last argument spells out, so that paths into it lead into the text. */
function bodyOf(target: StepTarget): unknown {
  if (target.kind === "set") return target.value;
  if (target.kind === "switch") return target.cases;
  return target;
}

const EXPRESSION = /^\s*\$\{[\s\S]*\}\s*$/;

/** Every `${ … }` in a value, with the keys that lead to it. */
function expressionsIn(value: unknown): [string[], string][] {
  const found: [string[], string][] = [];
  const path: string[] = [];
  const visit = (part: unknown): void => {
    if (typeof part === "string") {
      if (part.includes("${") && EXPRESSION.test(part)) found.push([[...path], part]);
    } else if (typeof part === "object" && part !== null) {
      for (const key in part) {
        path.push(key);
        visit((part as Record<string, unknown>)[key]);
        path.pop();
      }
    }
  };
  visit(value);
  return found;
}

/**
 * The inputs and steps that an expression names by `.inputs.<name>` and `.steps.<id>` at the start of a path.
 * What it reaches otherwise (`$context`, computed keys, after a pipe into something else) is left to the run.
 */
function namesIn(expression: string): { inputs: string[]; steps: string[] } {
  if (!/\.(?:inputs|steps)\b/.test(expression)) return { inputs: [], steps: [] };
  const code = expression.replace(/"(?:[^"\\]|\\.)*"/g, (text, at: number) =>
    // A quoted key behind a path stays; other texts are blanked.
    /\.(?:inputs|steps)\.?\[?$/.test(expression.slice(0, at)) ? text : '""',
  );
  // After a pipe, `.` may be another value than the scope.
  const scoped = code.split(/\|(?!=)/)[0] ?? "";
  const inputs: string[] = [];
  const steps: string[] = [];
  for (const match of scoped.matchAll(
    /(?<![\w.\])"?])\.(inputs|steps)(?:\.([A-Za-z_]\w*)|\.?\[?"((?:[^"\\]|\\.)*)"\]?)/g,
  )) {
    (match[1] === "inputs" ? inputs : steps).push(match[2] ?? match[3] ?? "");
  }
  return { inputs, steps };
}
