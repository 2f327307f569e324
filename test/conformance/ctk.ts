import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { isObject, type Json, type JsonObject } from "../../src/base/json.ts";
import { silentLog } from "../../src/base/log.ts";
import { type DocumentReport, runDocument } from "../../src/cli/workflow/run-document.ts";
import { loadDocument } from "../../src/workflow/index.ts";
import { readFeature, type Scenario, type Step } from "./gherkin.ts";
import { standIn } from "./stand-in.ts";

export const DIRECTORY = resolve(
  process.env["LIGHTFLOW_CONFORMANCE_DIR"] ?? join(import.meta.dir, "../../../shared/conformance"),
);

/** Every scenario of the kit, from its files as they are. */
export function scenarios(): Scenario[] {
  return readdirSync(join(DIRECTORY, "ctk"))
    .filter((name) => name.endsWith(".feature"))
    .sort()
    .flatMap((name) => readFeature(readFileSync(join(DIRECTORY, "ctk", name), "utf8")));
}

interface World {
  definition: string;
  input: Json;
  report: DocumentReport | null;
}

/** Runs one scenario. @throws Error with the step that does not hold */
export async function runScenario(scenario: Scenario): Promise<void> {
  const world: World = { definition: "", input: null, report: null };
  for (const step of scenario.steps) {
    const held = await perform(world, step);
    if (!held)
      throw new Error(`${step.line}\n${step.text ?? ""}\ngot ${JSON.stringify(world.report, null, 2)}`);
  }
}

async function perform(world: World, { line, text }: Step): Promise<boolean> {
  if (line === "a workflow with definition:") {
    world.definition = text!;
    return true;
  }
  if (line === "given the workflow input is:") {
    world.input = parse(text!) as Json;
    return true;
  }
  if (line === "the workflow is executed") {
    world.report = await runDocument({
      loaded: loadDocument(world.definition, { mode: "strict" }),
      input: world.input,
      log: silentLog,
      runner: { slots: 1, sandbox: "auto" },
      calls: standIn().calls,
    });
    return true;
  }
  if (world.report === null) throw new Error(`before the workflow was executed: ${line}`);
  return holds(world.report, line, text === null ? null : (parse(text) as Json));
}

function holds(report: DocumentReport, line: string, expected: Json): boolean {
  const output = (path: string): Json | undefined =>
    path
      .split(".")
      .reduce<Json | undefined>(
        (value, key) => (isObject(value) ? (value as JsonObject)[key] : undefined),
        report.output,
      );
  const order = report.tasks.map((task) => task.name);
  let match: RegExpExecArray | null;
  if (line === "the workflow should cancel") return report.status === "cancelled";
  if (line === "the workflow should complete") return report.status === "completed";
  if (line === "the workflow should complete with output:")
    return report.status === "completed" && isDeepStrictEqual(report.output, expected);
  if (line === "the workflow should fault") return report.status === "faulted";
  if (line === "the workflow should fault with error:")
    return report.status === "faulted" && isDeepStrictEqual(report.error, expected);
  match = /^the workflow output should have properties (.+)$/.exec(line);
  if (match !== null)
    return [...match[1]!.matchAll(/'([^']+)'/g)].every(([, path]) => output(path!) !== undefined);
  match = /^the workflow output should have a '([^']+)' property with value:$/.exec(line);
  if (match !== null) return isDeepStrictEqual(output(match[1]!), expected);
  match = /^the workflow output should have a '([^']+)' property containing (\d+) items$/.exec(line);
  if (match !== null) {
    const value = output(match[1]!);
    return Array.isArray(value) && value.length === Number(match[2]);
  }
  match = /^(\w+) should run (first|last)$/.exec(line);
  if (match !== null) return order.at(match[2] === "first" ? 0 : -1) === match[1];
  match = /^(\w+) should run (before|after) (\w+)$/.exec(line);
  if (match !== null) {
    const [one, other] = [order.indexOf(match[1]!), order.indexOf(match[3]!)];
    return one >= 0 && other >= 0 && (match[2] === "before" ? one < other : one > other);
  }
  match = /^(\w+) should (cancel|complete|fault)$/.exec(line);
  if (match !== null) {
    const status = { cancel: "cancelled", complete: "completed", fault: "faulted" }[match[2]!];
    return report.tasks.some((task) => task.name === match![1] && task.status === status);
  }
  throw new Error(`no step is known as: ${line}`);
}
