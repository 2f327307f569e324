import { canonicalJson } from "../../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { isExpression } from "../../expression/index.ts";
import { evaluateAt, truthy } from "../data-flow.ts";
import type { Machine } from "../machine.ts";
import type { Frame } from "../state.ts";

/** Nothing in it is special to a regular expression but the dot, which names of types are full of. */
const LITERAL = /^[\w.:/-]*$/;

/** Types that a filter may match, for the store's first look; `""` when any may. */
export function typesOf(filters: readonly JsonObject[]): string[] {
  const types = filters.map((filter) => {
    const type = (filter["with"] as JsonObject | undefined)?.["type"];
    return typeof type === "string" && LITERAL.test(type) ? type : "";
  });
  return types.length === 0 || types.includes("") ? [""] : [...new Set(types)];
}

/**
 * Whether an event fits a filter: every attribute equal, matching as a regular expression of the whole text, or true (or
 * equal) as an expression of the event, for `data` of the event's data. Then each correlation: the first value that is
 * seen is what later events must have, where `expect` does not say.
 * @returns the correlation afterwards, or null when the event does not fit
 */
export function matchEvent(
  machine: Machine,
  frame: Frame,
  pointer: string,
  filter: JsonObject,
  event: JsonObject,
  correlation: JsonObject,
): JsonObject | null {
  for (const [name, wanted] of Object.entries((filter["with"] ?? {}) as JsonObject)) {
    const actual = event[name] ?? null;
    const at = `${pointer}/with/${name}`;
    if (!attributeFits(machine, frame, at, wanted, actual, name === "data" ? actual : event)) return null;
  }
  const next = { ...correlation };
  for (const [key, rule] of Object.entries((filter["correlate"] ?? {}) as JsonObject)) {
    const { from, expect } = rule as JsonObject;
    const place = `${pointer}/correlate/${key}`;
    const value = evaluateAt(machine, frame, `${place}/from`, from!, event);
    if (value === null) return null;
    const wanted =
      expect === undefined ? next[key] : evaluateExpect(machine, frame, `${place}/expect`, expect);
    if (wanted !== undefined && !same(wanted, value)) return null;
    next[key] = value;
  }
  return next;
}

const same = (one: Json, other: Json): boolean => canonicalJson(one) === canonicalJson(other);

/** A text that is no expression is the expected value itself. */
function evaluateExpect(machine: Machine, frame: Frame, pointer: string, expect: Json): Json {
  return typeof expect === "string" && isExpression(expect)
    ? evaluateAt(machine, frame, pointer, expect)
    : expect;
}

function attributeFits(
  machine: Machine,
  frame: Frame,
  pointer: string,
  wanted: Json,
  actual: Json,
  input: Json,
): boolean {
  if (typeof wanted === "string" && isExpression(wanted)) {
    const value = evaluateAt(machine, frame, pointer, wanted, input);
    return typeof value === "boolean" || value === null ? truthy(value) : same(value, actual);
  }
  if (same(wanted, actual)) return true;
  if (isObject(wanted) && isObject(actual)) {
    const members = Object.entries(wanted as JsonObject);
    return members.every(([key, value]) => same(value, (actual as JsonObject)[key] ?? null));
  }
  if (typeof wanted !== "string" || typeof actual !== "string" || LITERAL.test(wanted)) return false;
  // Through the expression language, whose matcher has a step budget.
  const test = machine.definition.expression(
    "filter",
    '${ . as $e | $e.value | test("^(?:" + $e.pattern + ")$") }',
  );
  return truthy(test({ value: actual, pattern: wanted }, { now: machine.now }));
}
