import type { Static } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import type { JsonObject } from "../../base/json.ts";
import type { ScheduleRow } from "../../store/index.ts";
import { AnyObject, closed, named, nullable, oneOf, Text, Time } from "../shapes.ts";

/** When a published workflow starts by itself. */
export const Schedule = named(
  "Schedule",
  closed({
    namespace: Text,
    name: Text,
    version: Text,
    kind: oneOf("cron", "every", "after", "on"),
    /** `cron`, `every_ms` or `after_ms`. */
    spec: AnyObject,
    state: oneOf("active", "paused"),
    next_at: nullable(Time),
    last_due: nullable(Time),
    last_run: nullable(Text),
    /** The run that listens, for `on`. */
    listener: nullable(Text),
    /** Why the last due time made no run. */
    diagnostic: nullable(Text),
  }),
);

export function scheduleView(row: ScheduleRow): Static<typeof Schedule> {
  const { kind: _, ...spec } = JSON.parse(row.spec) as JsonObject;
  const time = (at: number | null) => (at === null ? null : isoTime(at));
  return {
    namespace: row.namespace,
    name: row.name,
    version: row.version,
    kind: row.kind,
    spec,
    state: row.state,
    next_at: time(row.next_at),
    last_due: time(row.last_due),
    last_run: row.last_run,
    listener: row.kind === "on" ? row.running : null,
    diagnostic: row.diagnostic,
  };
}
