/** A cron expression that was understood: five or six fields, in UTC or in the zone of a `CRON_TZ=` before them. */
export interface CronSchedule {
  /** The first due time after a moment, both in milliseconds since 1970; null where there is none any more. */
  next(after: number): number | null;
}

/**
 * @param text such as `0 0 * * *`, `30 0 0 * * *` (seconds first) or `CRON_TZ=Europe/Zurich 0 2 * * 1-5`
 * @throws Error that says what is wrong with it
 */
export function parseCron(text: string): CronSchedule {
  const [, zone, pattern] = /^\s*(?:(?:CRON_TZ|TZ)=(\S+)\s+)?(.*?)\s*$/s.exec(text)!;
  // Loaded here: few documents have a schedule, and every command would pay for it.
  const { Cron } = require("croner") as typeof import("croner");
  const cron = new Cron(pattern!, { timezone: zone ?? "UTC", paused: true });
  const next = (after: number): number | null => cron.nextRun(new Date(after))?.getTime() ?? null;
  // A zone is only looked up with a date.
  if (next(Date.UTC(2026, 0)) === null) throw new Error("no such moment ever comes");
  return { next };
}

/** Why a text is no cron expression, or null. */
export function cronProblem(text: string): string | null {
  try {
    parseCron(text);
    return null;
  } catch (error) {
    // The library explains at length, name of the class first; its first sentence says it.
    return (error as Error).message.replace(/^\w+: /, "").split(/\. /)[0]!;
  }
}
