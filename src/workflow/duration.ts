import type { DurationParts } from "./schema/index.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const ISO =
  /^P(?!$)(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?=\d)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** A year is 365 days and a month 30, because a duration has no calendar to stand on. */
const ISO_UNITS = [365 * DAY, 30 * DAY, 7 * DAY, DAY, HOUR, MINUTE, SECOND];

/**
 * A duration in whole milliseconds, rounded; undefined for what is neither ISO 8601 nor parts, such as an expression.
 * Parts may be negative in the schema; the sum is never below 0.
 */
export function durationMs(duration: string | DurationParts): number | undefined {
  let total = 0;
  if (typeof duration === "string") {
    const match = ISO.exec(duration);
    if (match === null) return undefined;
    for (const [index, unit] of ISO_UNITS.entries()) total += Number(match[index + 1] ?? 0) * unit;
  } else {
    const { days = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0 } = duration;
    total = days * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND + milliseconds;
  }
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.round(total)));
}
