import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";

/** The specification's own schema, examples and conformance kit: data that tests read and the project never copies. */
const directory = resolve(
  process.env["LIGHTFLOW_CONFORMANCE_DIR"] ?? join(import.meta.dir, "../../../../shared/conformance"),
);

/** Why the tests over this data cannot run, or undefined. Where it is required, missing data is a failure. */
export const notRun: string | undefined = (() => {
  if (existsSync(join(directory, "schema/workflow.yaml"))) return undefined;
  const reason = `no conformance data in ${directory}`;
  const required = process.env["LIGHTFLOW_REQUIRE"]?.split(",").includes("conformance") ?? false;
  if (process.env["CI"] || required) throw new Error(`${reason}; set LIGHTFLOW_CONFORMANCE_DIR`);
  console.log(`not run: ${reason}`);
  return reason;
})();

const textsIn = (folder: string, ending: string): { name: string; text: string }[] =>
  readdirSync(join(directory, folder))
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => ({ name, text: readFileSync(join(directory, folder, name), "utf8") }));

export const exampleTexts = () => (notRun === undefined ? textsIn("examples", ".yaml") : []);

/** The workflow definitions inside the feature files, in order. */
export function featureTexts(): { name: string; text: string }[] {
  if (notRun !== undefined) return [];
  const found: { name: string; text: string }[] = [];
  for (const { name, text } of textsIn("ctk", ".feature")) {
    const lines = text.split("\n");
    for (const [index, line] of lines.entries()) {
      if (!/a workflow with definition:\s*$/.test(line)) continue;
      const indent = lines[index + 1]!.search(/\S/);
      const end = lines.findIndex((other, at) => at > index + 1 && other.trim() === '"""');
      const body = lines.slice(index + 2, end).map((other) => other.slice(indent));
      found.push({ name: `${name}:${index + 1}`, text: body.join("\n") });
    }
  }
  return found;
}

/** The specification's JSON Schema, as data. */
export function specificationSchema(): object {
  return parse(readFileSync(join(directory, "schema/workflow.yaml"), "utf8")) as object;
}
