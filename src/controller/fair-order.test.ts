import { expect, test } from "bun:test";
import { FairOrder } from "./fair-order.ts";

const weights: Record<string, number> = { a: 1, b: 1, c: 3 };
const arrange = (order: FairOrder, items: string[]) =>
  order.arrange(
    items,
    (item) => item[0]!,
    (tenant) => weights[tenant]!,
  );

test("one tenant's claims keep their order", () => {
  expect(arrange(new FairOrder(), ["a1", "a2", "a3"])).toEqual(["a1", "a2", "a3"]);
});

test("a tenant with many claims does not keep one with few waiting", () => {
  const many = Array.from({ length: 100 }, (_, at) => `a${at}`);
  expect(arrange(new FairOrder(), [...many, "b0", "b1"]).indexOf("b1")).toBeLessThan(5);
});

test("a tenant of three times the weight has three turns of four", () => {
  const items = ["a", "c"].flatMap((tenant) => Array.from({ length: 40 }, (_, at) => `${tenant}${at}`));
  const first = arrange(new FairOrder(), items).slice(0, 40);
  expect(first.filter((item) => item.startsWith("c"))).toHaveLength(30);
});

test("what a tenant was served before counts, but nobody saves turns up", () => {
  const order = new FairOrder();
  order.served("b", 1);
  for (let turn = 0; turn < 10; turn++) order.served("a", 1);
  expect(arrange(order, ["a0", "b0", "b1"])).toEqual(["b0", "b1", "a0"]);
  expect(arrange(order, ["b0", "c0"])[0]).toBe("b0");
});
