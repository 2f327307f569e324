import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { notRun } from "../../src/workflow/testing/conformance.ts";
import { scenarios } from "./ctk.ts";
import { PLANS } from "./example-plans.ts";
import { examples, reasonNotToRun, runExample } from "./examples.ts";
import { conformanceTable, DOCUMENT, type Results, withTable } from "./report.ts";

if (notRun === undefined) {
  const all = examples();
  const ended = new Map<string, string>();

  test("every example of the specification is accepted", () => {
    expect(all).toHaveLength(66);
    const unknown = Object.keys(PLANS).filter((name) => !all.some((example) => example.name === name));
    expect(unknown).toEqual([]);
  });

  for (const example of all) {
    const reason = reasonNotToRun(example);
    if (reason !== null) {
      ended.set(example.name, `not run: ${reason}`);
      continue;
    }
    test(`${example.name} ends as it should`, async () => {
      const result = await runExample(example);
      ended.set(example.name, result.status);
      expect(result).toMatchObject({ status: PLANS[example.name]?.ends ?? "completed" });
    }, 20_000);
  }

  test("the page shows what this run gave (bun test/conformance/report.ts)", () => {
    // The kit's scenarios have tests of their own beside this one.
    const kit: Results["scenarios"] = scenarios().map(({ name }) => ({ name, held: true }));
    const results = all.map(({ name }) => ({ name, ended: ended.get(name) ?? "" }));
    const page = readFileSync(DOCUMENT, "utf8");
    expect(withTable(page, conformanceTable({ scenarios: kit, examples: results }))).toBe(page);
  });

  afterAll(() => {
    const left = [...ended.values()].filter((end) => end.startsWith("not run"));
    console.log(`examples: ${all.length} accepted, ${all.length - left.length} executed, ${left.length} not`);
  });
}
