import { expect, test } from "bun:test";
import { ManualClock, neverBack } from "./clock.ts";

test("a clock that never goes back follows the machine's forward, and goes on by itself while that is behind", () => {
  const machine = new ManualClock(1_000_000);
  const clock = neverBack(machine);
  machine.advance(500);
  expect(clock.wall()).toBe(1_000_500);
  machine.setWall(2_000_000);
  expect(clock.wall()).toBe(2_000_000);
  machine.setWall(1_900_000);
  expect(clock.wall()).toBe(2_000_000);
  machine.advance(40_000);
  expect(clock.wall()).toBe(2_040_000);
  machine.setWall(2_050_000);
  expect(clock.wall()).toBe(2_050_000);
});
