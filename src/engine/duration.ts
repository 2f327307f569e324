import { isObject, type Json } from "../base/json.ts";
import { type DurationParts, durationMs as parseDuration } from "../workflow/index.ts";
import { evaluateExpression } from "./data-flow.ts";
import { fault } from "./errors.ts";
import type { Machine } from "./machine.ts";
import type { Frame } from "./state.ts";

/** A DSL duration (parts, ISO 8601 text, or an expression that gives such text) in milliseconds. */
export function durationMs(machine: Machine, frame: Frame, place: string, value: Json): number {
  const given =
    typeof value === "string" && value.startsWith("${")
      ? evaluateExpression(machine, frame, place, value)
      : value;
  const milliseconds =
    typeof given === "string" || isObject(given) ? parseDuration(given as string | DurationParts) : undefined;
  if (milliseconds === undefined) throw fault("validation", `${JSON.stringify(given)} is not a duration`);
  return milliseconds;
}
