import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readyWorkflow } from "./cache.ts";

const root = mkdtempSync(join(tmpdir(), "cache-"));
afterAll(() => rmSync(root, { recursive: true }));
const folder = join(root, "lightflow/workflows");
mkdirSync(folder, { recursive: true });
const write = (name: string, title: string) =>
  writeFileSync(
    join(folder, name),
    `export const META = { id: "workflow.one", title: "${title}", kind: "workflow", description: "d", stability: "stable" };
export const define = () => workflow(META.id).set("a", { n: 1 });
`,
  );

test("an unchanged project gives the same workflow; an edit, a second file with the id, and its removal are seen", () => {
  write("one.ts", "First");
  const first = readyWorkflow(root, "workflow.one");
  expect(readyWorkflow(root, "workflow.one")).toBe(first);
  write("one.ts", "Other");
  const edited = readyWorkflow(root, "workflow.one");
  expect(edited.record.meta.title).toBe("Other");
  expect(edited.digest).not.toBe(first.digest);
  write("two.ts", "Again");
  expect(() => readyWorkflow(root, "workflow.one")).toThrow();
  rmSync(join(folder, "two.ts"));
  expect(readyWorkflow(root, "workflow.one").digest).toBe(edited.digest);
});
