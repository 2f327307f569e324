import { Type } from "@sinclair/typebox";
import { defineOperation } from "../operation.ts";
import { closed, Integer, named, nullable, oneOf, Text } from "../shapes.ts";
import { ProjectRoot, projectOf } from "./shapes.ts";

const Step = named(
  "ExplainedStep",
  closed({
    step_id: Text,
    kind: Text,
    runs_at: oneOf("orchestrator", "runner", "/ctx", "http"),
    node: nullable(Text),
    parents: Type.Array(Text),
    needs: Type.Array(Text),
    wave: Integer,
    pool: nullable(Text),
    capabilities: Type.Array(Text),
    models: Type.Array(Text),
    repeats: nullable(Text),
    condition: nullable(Text),
    impure: Type.Boolean(),
  }),
);

export const explainWorkflow = defineOperation({
  name: "workflow.explain",
  scope: "read",
  summary:
    "What a run of a workflow asset would do: order, parallelism, where each step runs, models, a graph",
  method: "GET",
  path: "/workflows/:id/plan",
  input: closed({
    id: Type.String({ minLength: 1, maxLength: 256 }),
    project_root: ProjectRoot,
  }),
  output: closed({
    workflow: Text,
    title: Text,
    source_path: Text,
    inputs: Type.Array(Text),
    steps: Type.Array(Step),
    parallelism: Integer,
    sequential: Type.Boolean(),
    models: Type.Array(closed({ id: Text, candidates: Type.Array(Text), found: Type.Boolean() })),
    issues: Type.Array(Text),
    mermaid: Text,
  }),
  async run(context, input) {
    const root = projectOf(context, input.project_root);
    const assets = await import("../../assets/index.ts");
    return assets.explainWorkflow(assets.findWorkflow(root, input.id));
  },
});
