import { expect, test } from "bun:test";
import { figures, inTurns, pairedRatio, quantile } from "./stats.ts";

test("quantiles lie between the neighbours by proportion", () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([10], 0.99)).toBe(10);
  expect(quantile([0, 10], 0.9)).toBe(9);
  expect(figures([3, 1, 2])).toEqual({ median: 2, minimum: 1, maximum: 3, count: 3 });
});

test("paired runs alternate, leave the warm-up out and keep the rounds together", async () => {
  const calls: string[] = [];
  let round = 0;
  const results = await inTurns(
    {
      a: async () => {
        calls.push("a");
        return ++round * 2;
      },
      b: async () => {
        calls.push("b");
        return 2;
      },
    },
    3,
  );
  expect(calls).toEqual(["b", "a", "a", "b", "b", "a", "a", "b"]);
  expect(results).toEqual({ a: [4, 6, 8], b: [2, 2, 2] });
  expect(pairedRatio(results.a, results.b).median).toBe(3);
});
