import { statSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/errors.ts";

/**
 * A project's files stand in lightflow/, which is also what the executable is called: copied into the same directory, it
 * stands in their way.
 * @throws Failure `conflict`
 */
export function checkProjectPlace(root: string): void {
  const place = join(root, "lightflow");
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? true) return;
  throw fail("conflict", `${place} is a file, and a project's files stand in a directory of that name`, {
    hint: "move the executable into a directory of your PATH, or make the project in another one: lightflow init my-project",
  });
}
