import { expect, test } from "bun:test";
import { KeyedLocks } from "./locks.ts";

/** Who holds a lock, in the order in which they got it. */
function bench() {
  const locks = new KeyedLocks();
  const order: string[] = [];
  const take = async (name: string, shared: boolean, key = "k") => {
    const release = await locks.take(key, shared);
    order.push(name);
    return release;
  };
  return { locks, order, take };
}
const settled = () => Bun.sleep(0);

test("readers hold it together, a writer alone, and each in its turn", async () => {
  const { locks, order, take } = bench();
  const [one, two] = await Promise.all([take("r1", true), take("r2", true)]);
  const writer = take("w", false);
  const late = take("r3", true);
  await settled();
  expect(order).toEqual(["r1", "r2"]);
  one();
  // Twice is once.
  one();
  await settled();
  expect(order).toEqual(["r1", "r2"]);
  two();
  (await writer)();
  (await late)();
  expect(order).toEqual(["r1", "r2", "w", "r3"]);
  expect(locks.has("k")).toBe(false);
});

test("one name's holder keeps nobody from another", async () => {
  const { order, take } = bench();
  const release = await take("a", false, "a");
  (await take("b", false, "b"))();
  expect(order).toEqual(["a", "b"]);
  release();
});

test("writers in a row change nothing together", async () => {
  const { locks } = bench();
  let inside = 0;
  const work = async () => {
    const release = await locks.take("k", false);
    expect(++inside).toBe(1);
    await settled();
    inside--;
    release();
  };
  await Promise.all([work(), work(), work(), work()]);
});
