import { expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import { Fence } from "./fence.ts";

test("F41: at the very moment of the deadline a cancel no longer wins, a moment before it does", () => {
  const clock = new ManualClock();
  const fence = new Fence(clock, 60_000, () => {});
  fence.begin(1_000);
  clock.advance(999);
  expect(fence.pastDeadline).toBe(false);
  clock.advance(1);
  expect(fence.pastDeadline).toBe(true);
  fence.close();
});

test("F22: an operator who sets the wall clock hours off moves neither end of a lease", () => {
  const clock = new ManualClock();
  const fence = new Fence(clock, 30_000, () => {});
  fence.begin(10_000);
  for (const hours of [-5, 5]) {
    clock.setWall(clock.wall() + hours * 3_600_000);
    expect({ left: fence.remainingMs, over: fence.pastDeadline }).toEqual({ left: 30_000, over: false });
  }
  clock.advance(10_000);
  expect({ left: fence.remainingMs, over: fence.pastDeadline }).toEqual({ left: 20_000, over: true });
  fence.close();
});
