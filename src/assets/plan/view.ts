import type { JsonObject } from "../../base/json.ts";
import { jqOf, member } from "./jq.ts";
import { type References, referencesOf } from "./references.ts";

/**
 * What `.` is to the expressions of a step: `{inputs, steps}`, made of the root scope `$root` by jq. Only what is read
 * is taken along, since it becomes part of the state of the run.
 */
export interface View {
  /** jq that gives `.` with what `references` say is read of it. `$root` and, in a map, `$item` are bound. */
  render(references: References): string;
  /** What of the root scope is read when this is read of the view. */
  atRoot(references: References): References;
  /** Whether it sees `.item` or `.index`. */
  readonly loop: "map" | "while" | undefined;
}

const names = (paths: readonly (readonly string[])[]): string[] => [...new Set(paths.map(([name]) => name!))];

function pick(source: string, all: boolean, paths: readonly (readonly string[])[]): string {
  if (all) return source;
  return `{${names(paths)
    .map((name) => `${JSON.stringify(name)}: ${source}${member(name)}`)
    .join(", ")}}`;
}

/** The workflow's own scope. */
export const ROOT_VIEW: View = {
  loop: undefined,
  atRoot: (references) => references,
  render: (references) =>
    `{inputs: ${pick("$root.inputs", references.allInputs, references.inputs)}, steps: ${pick("$root.steps", references.allSteps, references.steps)}}`,
};

const LOOP_MEMBERS = { map: "{item: $item, index: $index}", while: "{index: $index}" } as const;

/** The same with `.item` and `.index` of a loop. */
export function loopView(outer: View, loop: "map" | "while"): View {
  return {
    loop,
    atRoot: (references) => outer.atRoot(references),
    render: (references) => `(${outer.render(references)} + ${LOOP_MEMBERS[loop]})`,
  };
}

/**
 * Inside a node or a composition: `.inputs` are its ports, wired by values with expressions of the outer view, and
 * `.steps` its own steps.
 * @param steps the ids at the root of the steps that it names
 */
export function innerView(outer: View, wired: JsonObject, steps: ReadonlyMap<string, string>): View {
  const used = (references: References): JsonObject =>
    references.allInputs
      ? wired
      : Object.fromEntries(
          names(references.inputs)
            .filter((name) => Object.hasOwn(wired, name))
            .map((name) => [name, wired[name]!]),
        );
  const stepsOf = (references: References): [string, string][] =>
    references.allSteps
      ? [...steps]
      : names(references.steps).flatMap((name) => (steps.has(name) ? [[name, steps.get(name)!]] : []));
  return {
    loop: undefined,
    atRoot(references) {
      const below = outer.atRoot(referencesOf(used(references)));
      const own = stepsOf(references).map(([, id]) => [id]);
      return { ...below, steps: [...below.steps, ...own] };
    },
    render(references) {
      const given = used(references);
      const members = stepsOf(references)
        .map(([name, id]) => `${JSON.stringify(name)}: $root.steps${member(id)}`)
        .join(", ");
      return `(${outer.render(referencesOf(given))} | {inputs: ${jqOf(given)}, steps: {${members}}})`;
    },
  };
}
