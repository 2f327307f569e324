/** Writes the conformance table of docs/06-workflow-language.md from a run: `bun test/conformance/report.ts`. */
import { join } from "node:path";
import { runScenario, scenarios } from "./ctk.ts";
import { PLANS } from "./example-plans.ts";
import { examples, reasonNotToRun, runExample } from "./examples.ts";

export const DOCUMENT = join(import.meta.dir, "../../docs/06-workflow-language.md");
const BEGIN = "<!-- conformance: begin -->";
const END = "<!-- conformance: end -->";

/** What ran and how it ended. */
export interface Results {
  readonly scenarios: { readonly name: string; readonly held: boolean }[];
  readonly examples: { readonly name: string; readonly ended: string }[];
}

/** Runs the kit and the examples. */
export async function runAll(): Promise<Results> {
  const held: Results["scenarios"] = [];
  for (const scenario of scenarios()) {
    const name = `${scenario.feature}: ${scenario.name}`;
    held.push({
      name,
      held: await runScenario(scenario).then(
        () => true,
        () => false,
      ),
    });
  }
  const ended: Results["examples"] = [];
  for (const example of examples()) {
    const reason = reasonNotToRun(example);
    const status = reason === null ? (await runExample(example)).status : `not run: ${reason}`;
    ended.push({ name: example.name, ended: status });
  }
  return { scenarios: held, examples: ended };
}

/** The results as the page shows them. */
export function conformanceTable(results: Results): string {
  const held = results.scenarios.filter((scenario) => scenario.held).length;
  const ran = results.examples.filter(({ ended }) => !ended.startsWith("not run")).length;
  const rows = results.examples.map(({ name, ended }) => {
    const note = PLANS[name]?.note;
    return `| \`${name}\` | ${ended}${note === undefined ? "" : ` (${note})`} |`;
  });
  return [
    BEGIN,
    `Conformance kit: ${held} of ${results.scenarios.length} scenarios hold. Examples of the specification: ${results.examples.length} of ${results.examples.length} are accepted, ${ran} are executed.`,
    "",
    "| Example | How it ends |",
    "|---|---|",
    ...rows,
    END,
  ].join("\n");
}

/** A page with its table replaced. */
export function withTable(page: string, table: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error("the page has no place for the table");
  return `${page.slice(0, begin)}${table}${page.slice(end + END.length)}`;
}

if (import.meta.main) {
  const file = Bun.file(DOCUMENT);
  await Bun.write(file, withTable(await file.text(), conformanceTable(await runAll())));
}
