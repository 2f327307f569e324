import { expect, test } from "bun:test";
import { LIMITS } from "../../base/limits.ts";
import { cronProblem, parseCron } from "../../workflow/cron.ts";
import { firstDue, takeDue } from "./next-due.ts";

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

test("cron is in UTC unless it names a zone, with five fields or with seconds", () => {
  const now = at("2026-01-01T12:00:00Z");
  expect(iso(parseCron("0 0 * * *").next(now))).toBe("2026-01-02T00:00:00.000Z");
  expect(iso(parseCron("CRON_TZ=Europe/Zurich 0 0 * * *").next(now))).toBe("2026-01-01T23:00:00.000Z");
  expect(iso(parseCron("15 30 12 * * *").next(now))).toBe("2026-01-01T12:30:15.000Z");
});

test("in spring a time that the clocks skip comes right after, in autumn one that comes twice comes once", () => {
  const cron = parseCron("CRON_TZ=Europe/Zurich 30 2 * * *");
  const spring = cron.next(at("2026-03-28T12:00:00Z"));
  expect(iso(spring)).toBe("2026-03-29T01:00:00.000Z");
  expect(iso(cron.next(spring!))).toBe("2026-03-30T00:30:00.000Z");
  const autumn = cron.next(at("2026-10-24T12:00:00Z"));
  expect(iso(autumn)).toBe("2026-10-25T00:30:00.000Z");
  expect(iso(cron.next(autumn!))).toBe("2026-10-26T01:30:00.000Z");
});

test("what is no cron expression says why", () => {
  for (const text of ["", "* * *", "61 * * * *", "0 0 30 2 *", "CRON_TZ=Mars/Base 0 0 * * *", "CRON_TZ=UTC"])
    expect([text, cronProblem(text)]).toEqual([text, expect.any(String)]);
  expect(cronProblem("*/5 * * * 1-5")).toBeNull();
});

test("every keeps its rhythm; of several missed times only the last one starts", () => {
  const spec = { kind: "every", every_ms: 60_000 } as const;
  expect(firstDue(spec, 1_000)).toBe(61_000);
  expect(takeDue(spec, 61_000, 61_005)).toEqual({ start: 61_000, next: 121_000 });
  expect(takeDue(spec, 61_000, 61_000 + 10 * 60_000 + 5)).toEqual({ start: 661_000, next: 721_000 });
});

test("a missed cron time is caught up once within the window, and passes after it", () => {
  const spec = { kind: "cron", cron: "*/10 * * * *" } as const;
  const due = at("2026-01-01T12:00:00Z");
  expect(takeDue(spec, due, at("2026-01-01T12:55:00Z"))).toEqual({
    start: at("2026-01-01T12:50:00Z"),
    next: at("2026-01-01T13:00:00Z"),
  });
  const daily = { kind: "cron", cron: "0 12 * * *" } as const;
  const late = due + LIMITS.scheduleCatchUpMs + 1;
  expect(takeDue(daily, due, late)).toEqual({ start: null, next: at("2026-01-02T12:00:00Z") });
  expect(takeDue(daily, due, late - 1)).toEqual({ start: due, next: at("2026-01-02T12:00:00Z") });
});
