import { canonicalJson, sha256 } from "../../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { compileExpression, type Evaluate, isExpression } from "../../expression/index.ts";
import { evaluateAt, truthy } from "../data-flow.ts";
import type { Machine } from "../machine.ts";
import type { Frame, ListenFilter } from "../state.ts";

/** Nothing in it is special to a regular expression but the dot, which names of types are full of. */
const LITERAL = /^[\w.:/-]*$/;

/** The arguments that change while a task listens, and what differs at each evaluation. */
const CHANGING = /\$context|\bnow\b|\brandom\b|\bmktime\b|\binput/;

/** What holds of every event that a filter may match, for the store's first look. */
export function listenFilter(
  machine: Machine,
  frame: Frame,
  pointer: string,
  filter: JsonObject,
): ListenFilter {
  const type = (filter["with"] as JsonObject | undefined)?.["type"];
  const named = typeof type === "string" && LITERAL.test(type) ? type : "";
  return { type: named, ...correlated(machine, frame, pointer, filter) };
}

/** The first correlation whose value is known from the beginning and cannot change. */
function correlated(
  machine: Machine,
  frame: Frame,
  pointer: string,
  filter: JsonObject,
): { from: string; value: string } {
  const none = { from: "", value: "" };
  if (machine.definition.mode === "loose") return none;
  for (const [key, rule] of Object.entries((filter["correlate"] ?? {}) as JsonObject)) {
    const { from, expect } = rule as JsonObject;
    // Outside of the instance only the event itself is there to look at.
    if (typeof from !== "string" || /\$(?!\{)/.test(from) || CHANGING.test(from)) continue;
    if (expect === undefined || (typeof expect === "string" && CHANGING.test(expect))) continue;
    try {
      const value = evaluateExpect(machine, frame, `${pointer}/correlate/${key}/expect`, expect);
      return { from, value: correlationKey(value) };
    } catch {
      // An expectation that fails does so when an event comes.
    }
  }
  return none;
}

/** A value as a short text: equal texts for equal values. */
function correlationKey(value: Json): string {
  const text = canonicalJson(value);
  return text.length <= 64 ? text : sha256(text);
}

/**
 * What an event has where filters look. @returns null for nothing, which no filter takes; undefined where it cannot be known
 */
export function correlationOf(from: string, event: JsonObject): string | null | undefined {
  try {
    const value = correlationProgram(from)(event);
    return value === null ? null : correlationKey(value);
  } catch {
    return undefined;
  }
}

const programs = new Map<string, Evaluate>();
const KEPT = 256;

function correlationProgram(from: string): Evaluate {
  let program = programs.get(from);
  if (program === undefined) {
    program = compileExpression(from, { bare: true });
    if (programs.size >= KEPT) programs.clear();
    programs.set(from, program);
  }
  return program;
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
