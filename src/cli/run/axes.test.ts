import { expect, test } from "bun:test";
import { axisOf } from "./axes.ts";

test("an axis is a range, a list, or one value", () => {
  expect(axisOf("seed", "1..4")).toEqual(["1", "2", "3", "4"]);
  expect(axisOf("seed", "2..-1")).toEqual(["2", "1", "0", "-1"]);
  expect(axisOf("style", "a,b")).toEqual(["a", "b"]);
  expect(axisOf("style", String.raw`oil\, on wood,ink`)).toEqual(["oil, on wood", "ink"]);
  expect(axisOf("style", "1...3")).toEqual(["1...3"]);
  expect(() => axisOf("seed", "1..100000")).toThrow("at most 256");
});
