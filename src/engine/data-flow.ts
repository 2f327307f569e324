import { isoTime } from "../base/clock.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { VERSION } from "../base/version.ts";
import { isConstant } from "../expression/index.ts";
import type { TaskNode } from "./definition.ts";
import type { Machine } from "./machine.ts";
import { checkSchema } from "./schema.ts";
import { holdsSecrets } from "./secret-places.ts";
import type { Frame } from "./state.ts";
import { markContextReader } from "./taint.ts";

/** A time as the DSL shows it to expressions. */
function dateTime(ms: number): JsonObject {
  // Tasks of one advance start at one time, and every expression of theirs shows it.
  if (ms === shown.ms) return shown.value;
  const value = { iso8601: isoTime(ms), epoch: { seconds: Math.floor(ms / 1000), milliseconds: ms } };
  shown = { ms, value };
  return value;
}
let shown: { ms: number; value: JsonObject } = { ms: Number.NaN, value: {} };

/** Where an expression stands: what decides which arguments it sees. */
export type ExpressionPlace =
  | "workflow-input"
  | "workflow-output"
  | "task-input"
  | "definition"
  | "output"
  | "export";

/** The matrix of the specification (DSL, "Runtime expressions", "Arguments"), as what a place does not see. */
const HIDDEN: Readonly<Record<ExpressionPlace, readonly string[]>> = {
  "workflow-input": ["context", "input", "output", "task", "authorization"],
  "workflow-output": ["input", "output", "task", "authorization"],
  "task-input": ["input", "output", "authorization"],
  definition: ["output"],
  output: ["output"],
  export: [],
};

/** The arguments of a runtime expression. `frame` is null at workflow level. */
export function scope(
  machine: Machine,
  frame: Frame | null,
  place: ExpressionPlace,
  extra: JsonObject = {},
): JsonObject {
  const { instance, definition } = machine;
  const workflow: JsonObject = {
    id: instance.id,
    definition: definition.document,
    input: instance.raw_input,
    startedAt: dateTime(instance.started_at),
  };
  const arguments_: JsonObject = {
    context: instance.context,
    workflow,
    runtime: { name: "lightflow", version: VERSION, metadata: {} },
    authorization: null,
  };
  if (frame !== null) {
    arguments_["input"] = frame.input;
    arguments_["task"] = taskArgument(machine, frame);
    Object.assign(arguments_, frame.locals);
  }
  Object.assign(arguments_, extra);
  for (const name of HIDDEN[place]) delete arguments_[name];
  return arguments_;
}

/** `$task`; inside an extension it is the extended task, with its raw output once it has one. */
function taskArgument(machine: Machine, frame: Frame): JsonObject {
  const shown = frame.extended === undefined ? frame : (machine.frame(frame.extended) ?? frame);
  const task: JsonObject = {
    name: shown.name,
    reference: shown.pointer,
    definition: machine.definition.task(shown.pointer).task,
    input: shown.raw,
    startedAt: dateTime(shown.started_at),
  };
  const output = shown.around?.output;
  if (output !== undefined) task["output"] = output;
  return task;
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
  return evaluateAt(machine, frame, `${frame.pointer}/${place}`, value, input);
}

/** The same for a place anywhere in the document, such as the condition of an extension. */
export function evaluateAt(
  machine: Machine,
  frame: Frame,
  pointer: string,
  value: Json,
  input = frame.input,
  place: ExpressionPlace = "definition",
): Json {
  return machine.definition.expression(pointer, value)(input, {
    variables: scope(machine, frame, place),
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
  const evaluate = machine.definition.template(frame.pointer, place, value);
  if (isConstant(evaluate)) return evaluate(input);
  return evaluate(input, { variables: scope(machine, frame, "definition"), now: machine.now });
}

/**
 * Steps 3 to 5 of the data flow: `if` and `input.schema` on the raw input, then `input.from`.
 * @returns false when `if` says to skip the task
 */
export function prepareData(machine: Machine, frame: Frame, node: TaskNode): boolean {
  markContextReader(machine, frame, node);
  const condition = node.task["if"];
  const evaluate = (place: string, expression: Json): Json =>
    evaluateAt(machine, frame, `${node.pointer}/${place}`, expression, frame.raw, "task-input");
  if (condition !== undefined && !truthy(evaluate("if", condition))) return false;
  const input = node.task["input"] as JsonObject | undefined;
  if (input?.["schema"] !== undefined)
    checkSchema(machine.definition, `${node.pointer}/input/schema`, frame.raw);
  // A call's input that holds a secret is made when the call is, and never stands in the state.
  if (input?.["from"] !== undefined && !(node.kind === "call" && holdsSecrets(input["from"]))) {
    frame.input = evaluate("input/from", input["from"]);
  }
  return true;
}

/** Steps 7 to 10: `output.as`, `output.schema`, `export.as`, `export.schema`. */
export function finishData(machine: Machine, frame: Frame, node: TaskNode, rawOutput: Json): Json {
  // The context may have become private while the task went on.
  markContextReader(machine, frame, node);
  let value = rawOutput;
  const evaluate = (place: string, expression: Json): Json => {
    const variables = scope(machine, frame, place === "export/as" ? "export" : "output", { output: value });
    (variables["task"] as JsonObject)["output"] = rawOutput;
    return machine.definition.expression(`${frame.pointer}/${place}`, expression)(value, {
      variables,
      now: machine.now,
    });
  };
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
    if (frame.private === true) machine.instance.private_context = true;
  }
  return value;
}
