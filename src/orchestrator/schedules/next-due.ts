import { LIMITS } from "../../base/limits.ts";
import type { ScheduleSpec } from "../../engine/index.ts";
import { parseCron } from "../../workflow/index.ts";

/** The first due time after a moment, or null where nothing but the end of a run makes one. */
function nextDue(spec: ScheduleSpec, after: number): number | null {
  if (spec.kind === "cron") return parseCron(spec.cron).next(after);
  return spec.kind === "every" ? after + spec.every_ms : null;
}

/** When a schedule is due for the first time after it was published or resumed. */
export function firstDue(spec: ScheduleSpec, now: number): number | null {
  return spec.kind === "after" ? now : nextDue(spec, now);
}

/**
 * What to do about a due time that has come. Of several that passed meanwhile only the last one counts, and none that is
 * longer ago than the window: whoever was away for a day wants one run, not hundreds.
 * @returns `start` null to let it pass, and the next due time after `now`
 */
export function takeDue(
  spec: ScheduleSpec,
  due: number,
  now: number,
): { start: number | null; next: number | null } {
  if (spec.kind === "every") {
    const last = due + Math.floor((now - due) / spec.every_ms) * spec.every_ms;
    return { start: withinWindow(last, now), next: last + spec.every_ms };
  }
  if (spec.kind !== "cron") return { start: due, next: null };
  const cron = parseCron(spec.cron);
  // What is older than the window is not even counted: a cron of every second has 86,400 of them a day.
  const oldest = now - LIMITS.scheduleCatchUpMs;
  let last = due;
  for (let next = cron.next(Math.max(due, oldest)); next !== null && next <= now; next = cron.next(next))
    last = next;
  return { start: withinWindow(last, now), next: cron.next(now) };
}

const withinWindow = (due: number, now: number): number | null =>
  now - due > LIMITS.scheduleCatchUpMs ? null : due;
