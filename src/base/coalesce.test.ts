import { expect, test } from "bun:test";
import { coalesce } from "./coalesce.ts";

test("work asked for while it runs is done once more, never two at a time", async () => {
  let running = 0;
  let runs = 0;
  const ask = coalesce(async () => {
    expect(++running).toBe(1);
    runs++;
    await Bun.sleep(1);
    running--;
  });
  for (let times = 0; times < 5; times++) ask();
  await Bun.sleep(30);
  expect(runs).toBe(2);
  ask();
  await Bun.sleep(30);
  expect(runs).toBe(3);
});
