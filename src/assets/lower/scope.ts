import type { Json, JsonObject } from "../../base/json.ts";
import { grouped, member } from "../plan/jq.ts";
import { expressionBody, type References, referencesOf } from "../plan/references.ts";
import { ROOT_VIEW, type View } from "../plan/view.ts";

/**
 * The root scope `{inputs, steps}`. Each step exports it grown by its own result, so `$context` holds it; before the
 * first export there are the inputs alone. Steps of a graph end in any order, so it is read anew each time.
 */
export function rootScope(defaults: string | undefined): string {
  const inputs = defaults === undefined ? "$workflow.input" : `(${defaults} + $workflow.input)`;
  return `($context // {inputs: ${inputs}, steps: {}})`;
}

/** Expressions of one view as expressions of the document. */
export class Scope {
  constructor(
    /** {@link rootScope}. */
    readonly root: string,
    readonly view: View,
  ) {}

  /** What stands as `input.from` of a task, so that `.` inside it is the view: of it, what is read. */
  input(references: References): string {
    return `\${ ${this.root} as $root | ${this.view.render(references)} }`;
  }

  /** An expression for the places that are evaluated before or after `input.from`. */
  expression(text: string): string {
    const body = expressionBody(text);
    return body === undefined ? text : `\${ ${this.filter(body, text)} }`;
  }

  /** The same as jq inside another expression. */
  filter(body: string, text = `\${ ${body} }`): string {
    return `${this.root} as $root | ${this.view.render(referencesOf(text))} | ${grouped(body)}`;
  }

  /** {@link expression} for every expression of a value. */
  value(value: Json): Json {
    if (typeof value === "string") return this.expression(value);
    if (Array.isArray(value)) return value.map((item) => this.value(item));
    if (typeof value !== "object" || value === null) return value;
    const result: JsonObject = {};
    for (const [key, item] of Object.entries(value)) {
      Object.defineProperty(result, key, {
        value: this.value(item),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return result;
  }
}

/** The workflow's own scope, for its output. */
export const workflowScope = (root: string): Scope => new Scope(root, ROOT_VIEW);

/** `export.as` of a step: the root scope with the entry, jq over the task's output, under its id. */
export function exportEntry(root: string, stepId: string, entry: string): string {
  return `\${ . as $result | ${root} | .steps${member(stepId)} = ${entry} }`;
}
