import { type Explanation, explainWorkflow, findWorkflow } from "../assets/index.ts";
import { EXIT } from "./exit.ts";
import type { Paint } from "./paint.ts";
import type { CommandSpec, Run } from "./spec.ts";
import { tableText } from "./table-text.ts";

export const spec = {
  description:
    "Says what a run of a workflow would do: its steps in the order in which they may start, what each waits for, where it runs, and which models it asks. Nothing is run. With --mermaid, the same as a Mermaid graph; JSON has both.",
  positionals: [
    { name: "workflow", label: "workflow asset id", ids: "workflow", about: "such as workflow.hello" },
  ],
  flags: { mermaid: { type: "boolean", about: "the graph instead, for a document that draws Mermaid" } },
  examples: [
    { command: "lightflow explain workflow.text_plan", does: "the plan, readable" },
    { command: "lightflow explain workflow.text_plan --mermaid > plan.mmd", does: "the graph as a file" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const explained = explainWorkflow(findWorkflow(io.root(), positionals.workflow));
  if (flags.mermaid) io.stdout.write(explained.mermaid);
  else io.print(explained, (paint) => readable(explained, paint));
  return EXIT.ok;
};

function placeText({ runs_at, pool, capabilities }: Explanation["steps"][number]): string {
  const said = [...(pool === null ? [] : [pool]), ...capabilities];
  return said.length === 0 ? runs_at : `${runs_at} (${said.join(", ")})`;
}

function readable(plan: Explanation, paint: Paint): string {
  const rows = plan.steps.map((step) => [
    String(step.wave + 1),
    step.step_id,
    step.node ?? paint.dim(step.kind),
    placeText(step),
    step.needs.join(", ") || paint.dim("nothing"),
    [step.repeats, step.condition === null ? null : `if ${step.condition}`].filter(Boolean).join("; "),
  ]);
  const heads = ["wave", "step", "does", "runs at", "waits for", ""].map((head) => paint.dim(head));
  return [
    `${paint.bold(plan.workflow)}  ${plan.title}`,
    plan.sequential
      ? "the steps run one after the other, as the workflow says"
      : `at most ${plan.parallelism} step${plan.parallelism === 1 ? "" : "s"} at once`,
    "",
    tableText([heads, ...rows]),
    ...plan.models.map(
      ({ id, candidates, found }) =>
        `model ${id}: ${found ? candidates.join(", ") || "the route chooses" : paint.red("missing")}`,
    ),
    ...plan.issues.map((issue) => paint.red(issue)),
  ].join("\n");
}
