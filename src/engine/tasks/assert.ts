import { canonicalJson } from "../../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { evaluateExpression, evaluateTemplate, truthy } from "../data-flow.ts";
import { ASSERTION_FAILED, TaskFault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import { validatesAgainst } from "../schema.ts";
import type { Frame } from "../state.ts";
import type { TaskHandler } from "./handler.ts";

/**
 * `assert` of the dialect: one assertion or a list, each `{ that }` with an expression that must be true, or `{ value }`
 * with comparators that must all hold. The output is the input; the first that does not hold faults with
 * `assertion-failed`, status 422.
 */
export const assertTask: TaskHandler = {
  begin(machine, frame, node) {
    const declared = node.task["assert"]!;
    const list = Array.isArray(declared) ? declared : [declared];
    for (const [position, assertion] of list.entries()) {
      const place = Array.isArray(declared) ? `assert/${position}` : "assert";
      holdOrFault(machine, frame, place, assertion as JsonObject);
    }
    machine.complete(frame, frame.input);
  },
};

function holdOrFault(machine: Machine, frame: Frame, place: string, assertion: JsonObject): void {
  const problem = check(machine, frame, place, assertion);
  if (problem === null) return;
  const message = assertion["message"];
  const said = message === undefined ? null : evaluateTemplate(machine, frame, `${place}/message`, message);
  throw new TaskFault({
    type: ASSERTION_FAILED,
    status: 422,
    title: "Assertion failed",
    detail:
      said === null ? problem : `${typeof said === "string" ? said : JSON.stringify(said)} (${problem})`,
  });
}

const show = (value: Json): string => {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
};

const same = (a: Json, b: Json): boolean => canonicalJson(a) === canonicalJson(b);

function check(machine: Machine, frame: Frame, place: string, assertion: JsonObject): string | null {
  const { that } = assertion;
  if (that !== undefined) {
    const value = evaluateExpression(machine, frame, `${place}/that`, that);
    return truthy(value) ? null : `${show(that)} gave ${show(value)}`;
  }
  const { value: _, message: __, json, schema, ...comparators } = assertion;
  const value = evaluateTemplate(machine, frame, `${place}/value`, assertion["value"] ?? null);
  const expected = evaluateTemplate(machine, frame, `${place}/comparators`, comparators) as JsonObject;
  const problem = compare(machine, value, expected);
  if (problem !== null) return problem;
  if (isObject(json)) {
    for (const [path, wanted] of Object.entries(json as JsonObject)) {
      const at = machine.definition.expression(`json:${path}`, path)(value, { now: machine.now });
      const wish = evaluateTemplate(machine, frame, `${place}/json/${path}`, wanted) as JsonObject;
      const wrong = compare(machine, at, wish);
      if (wrong !== null) return `${path}: ${wrong}`;
    }
  }
  return schema === undefined ? null : validatesAgainst((schema as JsonObject)["document"] ?? true, value);
}

/** The first comparator that does not hold, as a sentence, or null. */
function compare(machine: Machine, value: Json, wish: JsonObject): string | null {
  const { exists, equals, contains, matches } = wish;
  if (exists !== undefined && (value !== null) !== exists) {
    return exists === true ? "the value does not exist" : `the value exists: ${show(value)}`;
  }
  if (equals !== undefined && !same(value, equals)) return `${show(value)} is not ${show(equals)}`;
  if (contains !== undefined && !holds(value, contains)) {
    return `${show(value)} does not contain ${show(contains)}`;
  }
  if (matches !== undefined && !matchesPattern(machine, value, String(matches))) {
    return `${show(value)} does not match ${show(matches)}`;
  }
  return null;
}

function holds(value: Json, part: Json): boolean {
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
function matchesPattern(machine: Machine, value: Json, pattern: string): boolean {
  if (typeof value !== "string") return false;
  const test = machine.definition.expression("matches", "${ .pattern as $p | .value | test($p) }");
  return truthy(test({ value, pattern }, { now: machine.now }));
}
