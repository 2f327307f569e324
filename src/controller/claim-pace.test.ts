import { expect, test } from "bun:test";
import { ManualClock } from "../base/clock.ts";
import { ClaimPace } from "./claim-pace.ts";

test("who hears nothing again and again is told to come back later and later, then refused; a pause mends it", () => {
  const clock = new ManualClock();
  const pace = new ClaimPace(clock, () => 0);
  const waits = Array.from({ length: 80 }, () => pace.empty("a"));
  expect(waits[0]).toBe(1000);
  expect(waits[79]).toBe(60_000);
  expect([...waits].sort((a, b) => a - b)).toEqual(waits);
  for (let n = 80; n < 2000; n++) pace.empty("a");
  expect(() => pace.check("a")).toThrow("asked for too often");
  expect(() => pace.check("b")).not.toThrow();
  clock.advance(1000);
  expect(() => pace.check("a")).not.toThrow();
  clock.advance(25_000);
  expect(pace.empty("a")).toBe(1000);
});

test("a runner that waits as it should never grows a wait, and work makes up for everything", () => {
  const clock = new ManualClock();
  const pace = new ClaimPace(clock, () => 1);
  for (let n = 0; n < 100; n++) {
    clock.advance(25_000);
    expect(pace.empty("a")).toBe(1250);
  }
  for (let n = 0; n < 2001; n++) pace.empty("a");
  pace.served("a");
  expect(() => pace.check("a")).not.toThrow();
});
