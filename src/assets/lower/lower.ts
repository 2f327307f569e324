import type { Json, JsonObject } from "../../base/json.ts";
import type { WorkflowDocument } from "../../workflow/index.ts";
import type { WorkflowDef } from "../definition/types.ts";
import type { AssetRecord } from "../kinds.ts";
import type { Components, Plan, PlannedStep } from "../plan/plan.ts";
import { defaultsOf, schemaOfPorts } from "./schemas.ts";
import { rootScope, workflowScope } from "./scope.ts";
import { type Lowering, taskOf } from "./steps.ts";

const DEFAULT_VERSION = "0.1.0";

/** The JSON schemas of a definition, read: an author may give a path in their place. */
export interface ReadSchemas {
  readonly input: JsonObject | undefined;
  readonly output: JsonObject | undefined;
}

/**
 * A workflow's plan as the one workflow document (DSL 1.0.3 with the dialect's tasks). The result says where it comes
 * from in `document.metadata.lightFlow`, and each task which step it is in its own.
 */
export function lowerWorkflow(
  definition: WorkflowDef,
  record: AssetRecord,
  version: string | undefined,
  schemas: ReadSchemas,
  plan: Plan,
  components: Components,
): WorkflowDocument {
  const { meta } = record;
  const root = rootScope(definition.inputs === undefined ? undefined : defaultsOf(definition.inputs));
  const input = inputOf(definition, schemas.input);
  const output = outputOf(definition, schemas.output, root);
  const tasks = tasksOf(definition, plan, {
    root,
    components,
    priority: definition.priority,
    resources: definition.resources ?? {},
    target: (then) => plan.entries.get(then) ?? then,
  });
  const document: JsonObject = {
    document: {
      dsl: "1.0.3",
      namespace: "lightflow",
      name: documentName(meta.id),
      version: version ?? DEFAULT_VERSION,
      title: meta.title,
      summary: meta.description,
      metadata: {
        lightFlow: { assetId: meta.id, sourceSha256: record.source_sha256 },
        ...(definition.profile === undefined
          ? {}
          : { lightWorkflow: { runner: { executionProfile: definition.profile } } }),
      },
    },
    ...(input === undefined ? {} : { input }),
    ...(definition.schedule === undefined ? {} : { schedule: definition.schedule }),
    do: tasks,
    ...(output === undefined ? {} : { output }),
  };
  return document as unknown as WorkflowDocument;
}

/** The name of the task that holds the steps of a plan with several ways. */
const GRAPH = "steps";

/**
 * The steps one after the other where each waits for the one before it, or where the author says where the flow goes;
 * else a graph of steps, each as soon as what it needs has ended.
 */
function tasksOf(definition: WorkflowDef, plan: Plan, lowering: Lowering): JsonObject[] {
  const { steps } = plan;
  if (plan.sequential || isChain(steps)) return steps.map((step) => ({ [step.id]: taskOf(step, lowering) }));
  const entries = steps.map((planned) => {
    const { resources, priority } = planned.step;
    return [
      planned.id,
      {
        ...(planned.needs.length === 0 ? {} : { needs: [...planned.needs] }),
        ...(resources === undefined ? {} : { resources: { ...resources } }),
        ...(priority === undefined ? {} : { priority }),
        task: taskOf(planned, lowering),
      },
    ];
  });
  const capacities = Object.entries(definition.resources ?? {}).map(([name, { capacity }]) => [
    name,
    capacity,
  ]);
  const graph: JsonObject = {
    steps: Object.fromEntries(entries) as JsonObject,
    ...(definition.concurrency === undefined ? {} : { concurrency: definition.concurrency }),
    ...(capacities.length === 0 ? {} : { resources: Object.fromEntries(capacities) as JsonObject }),
  };
  return [{ [GRAPH]: { graph, metadata: { lightFlow: { wraps: null } } } }];
}

/** Whether each step needs the one written before it. */
function isChain(steps: readonly PlannedStep[]): boolean {
  const seen = new Set<string>();
  return steps.every((step, at) => {
    seen.add(step.id);
    const before = steps[at - 1];
    return (before === undefined || step.needs.includes(before.id)) && step.needs.every((id) => seen.has(id));
  });
}

/**
 * The document's name for an asset id: a DNS label of at most 63 characters. The kind's prefix goes, since every
 * document is a workflow: `workflow.release_check` is `release-check`.
 */
export function documentName(assetId: string): string {
  return assetId
    .replace(/^workflow\./, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
}

function inputOf(definition: WorkflowDef, schema: JsonObject | undefined): JsonObject | undefined {
  const document = definition.inputs === undefined ? schema : schemaOfPorts(definition.inputs);
  const from = definition.inputs === undefined ? undefined : defaultsOf(definition.inputs);
  if (document === undefined) return undefined;
  return { schema: { document }, ...(from === undefined ? {} : { from: `\${ ${from} + . }` }) };
}

function outputOf(
  definition: WorkflowDef,
  schema: JsonObject | undefined,
  root: string,
): JsonObject | undefined {
  const { output } = definition;
  const as: Json | undefined = output === undefined ? undefined : workflowScope(root).value(output);
  if (as === undefined && schema === undefined) return undefined;
  return {
    ...(schema === undefined ? {} : { schema: { document: schema } }),
    ...(as === undefined ? {} : { as }),
  };
}
