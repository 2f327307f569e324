import type { WorkflowStepDef } from "../../assets/index.ts";
import { canonicalJson } from "../../base/canonical.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";

/** What the template misses in the inputs, in the words of a preview. */
export function inputIssues(step: WorkflowStepDef, inputs: Json): string[] {
  const { request, step_id: id } = step;
  if (request === undefined || request.kind === "json") return [];
  const field = request.input_field;
  const value = isObject(inputs) ? (inputs as JsonObject)[field] : undefined;
  if (value === undefined || value === null) return [`run input field ${field} is required for step ${id}`];
  return typeof value === "string" ? [] : [`run input field ${field} must be a string for step ${id}`];
}

/**
 * The request that a step's template makes of the inputs and the outputs so far: compact, keys sorted, so that equal
 * values give equal bytes. It is evaluated as the engine would evaluate the step's task of the document.
 */
export async function renderRequest(
  id: string,
  /** As the workflow's own text has it; undefined for a step of a composition, which the task says whole. */
  step: WorkflowStepDef | undefined,
  task: JsonObject | undefined,
  scope: JsonObject,
): Promise<string> {
  const request = step?.request;
  if ((step !== undefined && request === undefined) || task === undefined) {
    throw fail(
      "invalid_request",
      `invalid request: no request body provided and step ${id} does not declare a request template`,
      { hint: `give one: lightflow run submit RUN ${id} '{"messages":[]}'` },
    );
  }
  const inputs = scope["inputs"]!;
  if (request !== undefined && request.kind !== "json" && step?.target.kind !== "use") {
    const value = isObject(inputs) ? (inputs as JsonObject)[request.input_field] : undefined;
    if (typeof value !== "string") {
      throw fail(
        "invalid_request",
        `invalid request: run input field ${request.input_field} must be a string`,
      );
    }
  }
  const { compileTemplate } = await import("../../expression/index.ts");
  const variables = { context: scope, workflow: { input: inputs } };
  const evaluate = (value: Json, input: Json) =>
    compileTemplate(value, { mode: "strict" })(input, { variables, now: 0 });
  try {
    const from = (task["input"] as JsonObject | undefined)?.["from"];
    const input = from === undefined ? inputs : evaluate(from, inputs);
    return canonicalJson(evaluate((task["with"] as JsonObject)["body"]!, input));
  } catch (error) {
    throw fail(
      "invalid_request",
      `invalid request: the request template of step ${id} failed: ${toFailure(error).message}`,
      { cause: error },
    );
  }
}

/** The task of a document that makes the exchange of a step, wherever graphs, loops and retries have put it. */
export function exchangeTask(value: Json | undefined, stepId: string): JsonObject | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Array.isArray(value) && value["call"] === "cortex") {
    const metadata = value["metadata"] as JsonObject | undefined;
    return (metadata?.["lightFlow"] as JsonObject | undefined)?.["step"] === stepId ? value : undefined;
  }
  for (const member of Object.values(value)) {
    const found = exchangeTask(member, stepId);
    if (found !== undefined) return found;
  }
  return undefined;
}
