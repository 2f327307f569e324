import { canonicalJson } from "../../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { evaluateExpression, evaluateTemplate, truthy } from "../data-flow.ts";
import { ASSERTION_FAILED, TaskFault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import { validatesAgainst } from "../schema.ts";
import type { Frame } from "../state.ts";
import type { TaskHandler } from "./handler.ts";

/**
 * `assert` of the dialect: `{ that, message }` with one expression, or `{ value, equals | contains | matches | exists |
 * json | schema }`. The output is the input; a broken assertion faults with `assertion-failed`, status 422.
 */
export const assertTask: TaskHandler = {
  begin(machine, frame, node) {
    const assertion = node.task["assert"] as JsonObject;
    const problem = check(machine, frame, assertion);
    if (problem === null) {
      machine.complete(frame, frame.input);
      return;
    }
    const message = assertion["message"];
    const said = message === undefined ? null : evaluateTemplate(machine, frame, "assert/message", message);
    throw new TaskFault({
      type: ASSERTION_FAILED,
      status: 422,
      title: "Assertion failed",
      detail:
        said === null ? problem : `${typeof said === "string" ? said : JSON.stringify(said)} (${problem})`,
    });
  },
};

const show = (value: Json): string => {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
};

const same = (a: Json, b: Json): boolean => canonicalJson(a) === canonicalJson(b);

function check(machine: Machine, frame: Frame, assertion: JsonObject): string | null {
  if (assertion["that"] !== undefined) {
    const value = evaluateExpression(machine, frame, "assert/that", assertion["that"]);
    return truthy(value) ? null : `${show(assertion["that"])} gave ${show(value)}`;
  }
  const value = evaluateTemplate(machine, frame, "assert/value", assertion["value"] ?? null);
  const expected = (key: string): Json => evaluateTemplate(machine, frame, `assert/${key}`, assertion[key]!);
  if (assertion["exists"] !== undefined && (value !== null) !== assertion["exists"]) {
    return assertion["exists"] === true ? "the value does not exist" : `the value exists: ${show(value)}`;
  }
  if (assertion["equals"] !== undefined && !same(value, expected("equals"))) {
    return `${show(value)} is not ${show(expected("equals"))}`;
  }
  if (assertion["contains"] !== undefined && !contains(value, expected("contains"))) {
    return `${show(value)} does not contain ${show(expected("contains"))}`;
  }
  if (assertion["matches"] !== undefined && !matches(machine, value, String(expected("matches")))) {
    return `${show(value)} does not match ${show(expected("matches"))}`;
  }
  if (isObject(assertion["json"])) {
    for (const [path, wanted] of Object.entries(expected("json") as JsonObject)) {
      const actual = machine.definition.expression(`assert-json:${path}`, path)(value, { now: machine.now });
      if (!same(actual, wanted)) return `${path} is ${show(actual)}, not ${show(wanted)}`;
    }
  }
  if (assertion["schema"] !== undefined) {
    const problem = validatesAgainst(assertion["schema"], value);
    if (problem !== null) return problem;
  }
  return null;
}

function contains(value: Json, part: Json): boolean {
  if (typeof value === "string") return typeof part === "string" && value.includes(part);
  if (Array.isArray(value)) return value.some((item) => same(item, part));
  if (isObject(value) && isObject(part)) {
    return Object.entries(part as JsonObject).every(([key, wanted]) =>
      same((value as JsonObject)[key] ?? null, wanted),
    );
  }
  return same(value, part);
}

/** Through the expression language, whose matcher has a step budget. */
function matches(machine: Machine, value: Json, pattern: string): boolean {
  if (typeof value !== "string") return false;
  const test = machine.definition.expression(
    "assert-matches",
    "${ .value as $v | .pattern as $p | $v | test($p) }",
  );
  return truthy(test({ value, pattern }, { now: machine.now }));
}
