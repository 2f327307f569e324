import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Json } from "../base/json.ts";
import { compileProgram } from "./index.ts";

const root =
  process.env["LIGHTFLOW_CONFORMANCE_DIR"] ?? resolve(import.meta.dir, "../../../shared/conformance");
const file = join(root, "jq", "man.test");

/** Examples that need what a workflow's expression does not have. */
const EXCLUDED: Record<string, string> = {
  "$ENV.PAGER": "reads the environment",
  "env.PAGER": "reads the environment",
};

interface Example {
  readonly program: string;
  readonly input: string;
  readonly outputs: readonly string[];
}

function examples(text: string): Example[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => block.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#")))
    .filter((lines) => lines.length >= 2)
    .map(([program, input, ...outputs]) => ({ program: program!, input: input!, outputs }));
}

if (!existsSync(file)) {
  test("jq's manual tests are there", () => {
    console.log(`not run: ${file} is missing`);
    expect(process.env["CI"], "the conformance data is required in CI").toBeFalsy();
  });
} else {
  const all = examples(readFileSync(file, "utf8"));
  const run = all.filter(({ program }) => !(program in EXCLUDED));
  for (const { program, input, outputs } of run) {
    test(`jq's manual: ${program} on ${input}`, () => {
      const results = compileProgram(program).run(JSON.parse(input) as Json);
      expect(results).toEqual(outputs.map((output) => JSON.parse(output) as Json));
    });
  }
  test("every example of jq's manual is run or excluded by name", () => {
    console.log(`jq's manual: ${run.length} of ${all.length} examples run`);
    for (const { program } of all) {
      if (program in EXCLUDED) console.log(`  excluded: ${program} (${EXCLUDED[program]})`);
    }
    expect(all.length).toBeGreaterThan(200);
    expect(all.length - run.length).toBe(Object.keys(EXCLUDED).length);
  });
}
