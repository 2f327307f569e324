import { isObject, type Json } from "../base/json.ts";
import { evaluateExpression } from "./data-flow.ts";
import { fault } from "./errors.ts";
import type { Machine } from "./machine.ts";
import type { Frame } from "./state.ts";

const UNITS = {
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1000,
  milliseconds: 1,
} as const;
const ISO = /^P(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** A DSL duration (object, ISO 8601 text, or an expression that gives such text) in milliseconds. */
export function durationMs(machine: Machine, frame: Frame, place: string, value: Json): number {
  if (isObject(value)) {
    let total = 0;
    for (const [unit, factor] of Object.entries(UNITS)) total += Number(value[unit] ?? 0) * factor;
    return Math.round(total);
  }
  const text =
    typeof value === "string" && value.startsWith("${")
      ? evaluateExpression(machine, frame, place, value)
      : value;
  const match = typeof text === "string" ? ISO.exec(text) : null;
  if (match === null || text === "P" || (text as string).endsWith("T")) {
    throw fault("validation", `${JSON.stringify(text)} is not an ISO 8601 duration`);
  }
  const [, days, hours, minutes, seconds] = match;
  return Math.round(
    Number(days ?? 0) * UNITS.days +
      Number(hours ?? 0) * UNITS.hours +
      Number(minutes ?? 0) * UNITS.minutes +
      Number(seconds ?? 0) * UNITS.seconds,
  );
}
