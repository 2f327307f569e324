import { isoTime } from "../base/clock.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { TaskNode } from "./definition.ts";
import type { Machine } from "./machine.ts";
import { checkSchema } from "./schema.ts";
import type { Frame } from "./state.ts";

/** A time as the DSL shows it to expressions. */
function dateTime(ms: number): JsonObject {
  return { iso8601: isoTime(ms), epoch: { seconds: Math.floor(ms / 1000), milliseconds: ms } };
}

/**
 * The arguments of a runtime expression (DSL, "Runtime expressions"). `frame` is null at workflow level.
 * `definition` parts are whole documents, so they are only given where a task runs.
 */
export function scope(machine: Machine, frame: Frame | null, extra: JsonObject = {}): JsonObject {
  const { instance, definition } = machine;
  const workflow: JsonObject = {
    id: instance.id,
    definition: definition.document,
    input: instance.input,
    startedAt: dateTime(instance.started_at),
  };
  const arguments_: JsonObject = {
    context: instance.context,
    workflow,
    runtime: { name: "lightflow", version: "1", metadata: {} },
    secrets: {},
    authorization: null,
    output: null,
    input: instance.input,
    task: null,
  };
  if (frame !== null) {
    arguments_["input"] = frame.input;
    arguments_["task"] = {
      name: frame.name,
      reference: frame.pointer,
      definition: definition.task(frame.pointer).task,
      input: frame.raw,
      startedAt: dateTime(frame.started_at),
    };
    Object.assign(arguments_, frame.locals);
  }
  return Object.assign(arguments_, extra);
}

/** Whether jq calls a value true. */
export const truthy = (value: Json): boolean => value !== null && value !== false;

/** Evaluate a place of a task's definition that is an expression by type. */
export function evaluateExpression(
  machine: Machine,
  frame: Frame,
  place: string,
  value: Json,
  input = frame.input,
): Json {
  return machine.definition.expression(`${frame.pointer}/${place}`, value)(input, {
    variables: scope(machine, frame),
    now: machine.now,
  });
}

/** Evaluate a place of a task's definition that is data with expressions in it. */
export function evaluateTemplate(
  machine: Machine,
  frame: Frame,
  place: string,
  value: Json,
  input = frame.input,
): Json {
  return machine.definition.template(`${frame.pointer}/${place}`, value)(input, {
    variables: scope(machine, frame),
    now: machine.now,
  });
}

/**
 * Steps 3 to 5 of the data flow: `if` and `input.schema` on the raw input, then `input.from`.
 * @returns false when `if` says to skip the task
 */
export function prepareData(machine: Machine, frame: Frame, node: TaskNode): boolean {
  const condition = node.task["if"];
  if (condition !== undefined && !truthy(evaluateExpression(machine, frame, "if", condition, frame.raw)))
    return false;
  const input = node.task["input"] as JsonObject | undefined;
  if (input?.["schema"] !== undefined)
    checkSchema(machine.definition, `${node.pointer}/input/schema`, frame.raw);
  if (input?.["from"] !== undefined) {
    frame.input = evaluateExpression(machine, frame, "input/from", input["from"], frame.raw);
  }
  return true;
}

/** Steps 7 to 10: `output.as`, `output.schema`, `export.as`, `export.schema`. */
export function finishData(machine: Machine, frame: Frame, node: TaskNode, rawOutput: Json): Json {
  let value = rawOutput;
  const evaluate = (place: string, expression: Json): Json =>
    machine.definition.expression(`${frame.pointer}/${place}`, expression)(value, {
      variables: scope(machine, frame, { output: value }),
      now: machine.now,
    });
  const output = node.task["output"] as JsonObject | undefined;
  if (output?.["as"] !== undefined) value = evaluate("output/as", output["as"]);
  if (output?.["schema"] !== undefined)
    checkSchema(machine.definition, `${node.pointer}/output/schema`, value);
  const exported = node.task["export"] as JsonObject | undefined;
  if (exported?.["as"] !== undefined) {
    const context = evaluate("export/as", exported["as"]);
    if (exported["schema"] !== undefined)
      checkSchema(machine.definition, `${node.pointer}/export/schema`, context);
    machine.instance.context = context;
  }
  return value;
}
