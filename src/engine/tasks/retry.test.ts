import { expect, test } from "bun:test";
import { Drive } from "../../../test/support/engine-drive.ts";
import type { JsonObject } from "../../base/json.ts";

/** The delays before each try of a task that always fails. */
function delays(retry: JsonObject): number[] {
  const raise = { raise: { error: { type: "https://x.test/e", status: 500 } } };
  const drive = new Drive([{ t: { try: [{ r: raise }], catch: { retry } } }]);
  while (drive.instance.status === "waiting") drive.fire();
  return drive.transitions
    .filter(({ event }) => event === "step.retried")
    .map(({ detail }) => (detail as JsonObject)["delay_ms"] as number);
}

const count = (count: number) => ({ attempt: { count } });

test("the delay stays, grows by itself, or doubles", () => {
  const delay = { milliseconds: 100 };
  expect(delays({ delay, limit: count(4) })).toEqual([100, 100, 100, 100]);
  expect(delays({ delay, backoff: { constant: {} }, limit: count(3) })).toEqual([100, 100, 100]);
  expect(delays({ delay, backoff: { linear: {} }, limit: count(4) })).toEqual([100, 200, 300, 400]);
  expect(delays({ delay, backoff: { exponential: {} }, limit: count(5) })).toEqual([
    100, 200, 400, 800, 1600,
  ]);
});

test("a limit of time ends the tries before the one that would begin after it", () => {
  expect(delays({ delay: "PT1S", limit: { duration: "PT3.5S" } })).toEqual([1000, 1000, 1000]);
});

test("jitter is added within its range, spread over it, and the same at every replay", () => {
  const retry = {
    delay: { milliseconds: 1000 },
    jitter: { from: { milliseconds: 100 }, to: { milliseconds: 300 } },
    limit: count(300),
  };
  const added = delays(retry).map((delay) => delay - 1000);
  expect(Math.min(...added)).toBeGreaterThanOrEqual(100);
  expect(Math.max(...added)).toBeLessThanOrEqual(300);
  const mean = added.reduce((sum, each) => sum + each, 0) / added.length;
  expect(mean).toBeGreaterThan(180);
  expect(mean).toBeLessThan(220);
  expect(new Set(added).size).toBeGreaterThan(100);
  expect(delays(retry).map((delay) => delay - 1000)).toEqual(added);
});
