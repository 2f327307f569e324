import { isObject, type Json } from "../base/json.ts";
import { type DurationParts, durationMs as parseDuration } from "../workflow/index.ts";
import { evaluateExpression } from "./data-flow.ts";
import { fault } from "./errors.ts";
import type { Machine } from "./machine.ts";
import type { Frame } from "./state.ts";

/** A DSL duration (parts, ISO 8601 text, or an expression that gives such text) in milliseconds. */
export function durationMs(machine: Machine, frame: Frame, place: string, value: Json): number {
  return durationOf(value, (text) => evaluateExpression(machine, frame, place, text));
}

/** The same with the evaluation left to the caller. @throws TaskFault of kind validation */
export function durationOf(value: Json, evaluate: (text: string) => Json): number {
  const given = typeof value === "string" && value.startsWith("${") ? evaluate(value) : value;
  const milliseconds =
    typeof given === "string" || isObject(given) ? parseDuration(given as string | DurationParts) : undefined;
  if (milliseconds === undefined || !Number.isFinite(milliseconds))
    throw fault("validation", `${JSON.stringify(given)} is not a duration`);
  return milliseconds;
}
