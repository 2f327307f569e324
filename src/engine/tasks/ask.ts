import { canonicalJson } from "../../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { evaluateExpression, evaluateTemplate } from "../data-flow.ts";
import { durationMs } from "../duration.ts";
import { fault } from "../errors.ts";
import { validatesAgainst } from "../schema.ts";
import type { Question } from "../state.ts";
import type { TaskHandler } from "./handler.ts";

/** `ask` of the dialect: a person answers; the answer is the output. `ask.timeout` answers with the default, or faults. */
export const askTask: TaskHandler = {
  begin(machine, frame, node) {
    const ask = node.task["ask"] as JsonObject;
    if (ask["sensitive"] === true)
      throw fault("configuration", "sensitive answers are not supported by this build");
    const template = (name: string): Json =>
      ask[name] === undefined ? null : evaluateTemplate(machine, frame, `ask/${name}`, ask[name]);
    const options =
      ask["optionsFrom"] === undefined
        ? template("options")
        : evaluateExpression(machine, frame, "ask/optionsFrom", ask["optionsFrom"]);
    if (options !== null && (!Array.isArray(options) || options.length === 0))
      throw fault("expression", "the options must be a list that is not empty");
    const question: Question = {
      prompt: String(template("prompt")),
      options: options as Json[] | null,
      schema: ask["schema"] === undefined ? null : ((ask["schema"] as JsonObject)["document"] ?? null),
      assignment: template("assignment"),
      required: ask["required"] !== false,
    };
    machine.await(frame, (id) => ({
      kind: "ask",
      id,
      step_id: frame.name,
      reference: machine.reference(frame),
      question,
    }));
    if (ask["timeout"] === undefined) return;
    frame.timer = machine.effectId();
    const due = machine.now + durationMs(machine, frame, "ask/timeout", ask["timeout"]);
    machine.effects.push({ kind: "timer", id: frame.timer, due_at: due });
  },
  effectSucceeded(machine, frame, _node, output) {
    machine.complete(frame, output);
  },
  timer(machine, frame, node) {
    const ask = node.task["ask"] as JsonObject;
    if (ask["onTimeout"] !== "default") throw fault("timeout", "nobody answered in time");
    machine.note("ask.defaulted", frame);
    machine.complete(frame, evaluateTemplate(machine, frame, "ask/default", ask["default"]!));
  },
};

/** Why a value is no answer to a question, or null. */
export function answerProblem(question: Question, answer: Json): string | null {
  if (answer === null) return question.required ? "an answer is required" : null;
  if (question.options !== null) {
    const values = question.options.map((option) =>
      isObject(option) && "value" in option ? ((option as JsonObject)["value"] ?? null) : option,
    );
    if (!values.some((value) => canonicalJson(value) === canonicalJson(answer)))
      return `the answer must be one of ${values.map((value) => JSON.stringify(value)).join(", ")}`;
  }
  return question.schema === null ? null : validatesAgainst(question.schema, answer);
}
