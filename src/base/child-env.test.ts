import { expect, test } from "bun:test";
import { childEnvironment } from "./child-env.ts";

test("what would steer a Bun child is left out, even when it is passed as an extra", () => {
  const env = childEnvironment(
    { PATH: "/bin", BUN_BE_BUN: "1", BUN_OPTIONS: "--preload ./x.ts", HOME: "/h", EMPTY: undefined },
    { BUN_BE_BUN: "1", HOME: undefined, LANG: "C" },
  );
  expect(env).toEqual({ PATH: "/bin", LANG: "C" });
});
