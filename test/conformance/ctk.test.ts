import { expect, test } from "bun:test";
import { notRun } from "../../src/workflow/testing/conformance.ts";
import { runScenario, scenarios } from "./ctk.ts";
import { readFeature } from "./gherkin.ts";

if (notRun === undefined) {
  const all = scenarios();
  for (const scenario of all)
    test(`${scenario.feature}: ${scenario.name}`, async () => {
      await runScenario(scenario);
    });
  test("the kit has 21 scenarios", () => {
    console.log(`conformance kit: ${all.length} scenarios`);
    expect(all).toHaveLength(21);
  });
}

test("a scenario that does not hold is seen", async () => {
  const text = (end: string) => `Feature: F
  Scenario: S
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: d, name: n, version: '1.0.0'}
    do:
      - a: {set: {x: 1}}
    """
    When the workflow is executed
    Then the workflow should ${end}`;
  const failure = async (end: string) => {
    try {
      await runScenario(readFeature(text(end))[0]!);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(await failure("complete")).toBeNull();
  expect(await failure("fault")).toContain('"status": "completed"');
  expect(await failure('complete with output:\n    """yaml\n    x: 2\n    """')).toContain("x: 2");
  expect(await failure("shine")).toContain("no step is known");
});
