import type { Json, JsonObject } from "../../base/json.ts";

/**
 * The value that an author's expressions are about: `{inputs, steps}`. Each step exports it grown by its own
 * result, so `$context` holds it; before the first export the workflow's own input is all there is.
 */
export const SCOPE = "($context // {inputs: ., steps: {}})";

/** What stands as `input.from` of each task, so that `.` is the scope inside it. */
export const SCOPE_INPUT = `\${ ${SCOPE} }`;

const EXPRESSION = /^\s*\$\{([\s\S]*)\}\s*$/;

/** An expression for the places that are evaluated before or after `input.from`: the scope is piped into it. */
export function inScope(expression: string): string {
  const body = EXPRESSION.exec(expression)?.[1];
  return body === undefined ? expression : `\${ ${SCOPE} | (${body.trim()}) }`;
}

/** {@link inScope} for every expression of a value. */
export function valueInScope(value: Json): Json {
  if (typeof value === "string") return inScope(value);
  if (Array.isArray(value)) return value.map(valueInScope);
  if (typeof value !== "object" || value === null) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    Object.defineProperty(result, key, {
      value: valueInScope(member),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return result;
}

/**
 * `export.as` of a step: the scope with the step's result under its id. `whole` keeps the raw output as it is (a
 * command's `{exitCode, output, artifacts, summary}`), else it becomes the member `output`.
 */
export function exportOf(stepId: string, whole: boolean): string {
  const result = whole ? "$result" : "{output: $result}";
  return `\${ . as $result | $input | .steps[${JSON.stringify(stepId)}] = ${result} }`;
}

/** `export.as` of a step that has no result of its own. */
export const EXPORT_SCOPE = "${ $input }";
