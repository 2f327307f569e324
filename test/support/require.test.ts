import { expect, test } from "bun:test";
import { prerequisite } from "./require.ts";

test("a missing prerequisite is printed, a required one throws, a present one is silent", () => {
  const lines: string[] = [];
  const print = (line: string) => lines.push(line);
  expect(prerequisite("fuse", false, "no /dev/fuse", {}, print)).toBe(false);
  expect(prerequisite("fuse", false, "no /dev/fuse", { LIGHTFLOW_REQUIRE: "root,userns" }, print)).toBe(
    false,
  );
  expect(lines).toEqual(["not run: fuse: no /dev/fuse", "not run: fuse: no /dev/fuse"]);
  expect(prerequisite("root", true, "", { LIGHTFLOW_REQUIRE: "root" }, print)).toBe(true);
  expect(() =>
    prerequisite("fuse", false, "no /dev/fuse", { LIGHTFLOW_REQUIRE: "root,fuse" }, print),
  ).toThrow("required but missing: fuse");
  expect(lines).toHaveLength(2);
});
