import type { AssetRecord, PlannedStep, WorkflowDef } from "../../assets/index.ts";
import { Failure, fail, toFailure } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import {
  apiTarget,
  type CortexPlace,
  cortexPlace,
  type RequestTarget,
  threadTarget,
  toolTarget,
} from "../../cortex/index.ts";
import type { ServiceContext } from "../context.ts";
import { newRunId } from "../runs/start.ts";
import { exchangeTask, inputIssues } from "./render.ts";
import { type CreateRun, checkRunId } from "./shapes.ts";

export interface DraftStep {
  readonly planned: PlannedStep;
  /** Its task of the document; absent for a step that is no exchange with `/ctx`. */
  readonly task: JsonObject | undefined;
  /** Null for a step that is no exchange with `/ctx`. */
  cortex(requestId: string): RequestTarget | null;
}

/** A run as it would be planned: all that preview shows and create keeps. */
export interface Draft {
  readonly runId: string;
  readonly request: CreateRun;
  readonly workflow: AssetRecord;
  readonly definition: WorkflowDef;
  readonly document: JsonObject;
  readonly digest: string;
  readonly inputs: Json;
  readonly issues: string[];
  readonly steps: readonly DraftStep[];
}

export const placeOf = (context: ServiceContext): CortexPlace => context.place ?? cortexPlace();

/** Resolve a workflow and collect everything that stands against running it. Writes nothing. */
export async function draftRun(
  context: ServiceContext,
  input: { workflow_asset_id: string; run_id?: string | null | undefined; inputs?: Json | undefined },
): Promise<Draft> {
  const id = input.workflow_asset_id;
  const runId =
    input.run_id === undefined || input.run_id === null
      ? newRunId(id, context.clock.wall())
      : checkRunId(input.run_id);
  const assets = await import("../../assets/index.ts");
  let found: ReturnType<typeof assets.readyWorkflow>;
  try {
    found = assets.readyWorkflow(context.root, id);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "asset_not_found") throw error;
    throw fail("asset_not_found", `not found: workflow asset ${id}`, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
  const { definition } = found;
  const given = input.inputs ?? null;
  const document = found.document as unknown as JsonObject;
  const inputs = assets.completeInputs(definition, given, context.root);
  const issues = [
    ...found.issues.map(({ message }) => message),
    ...found.plan.steps.filter((step) => !EXCHANGES.has(step.target.kind)).map((step) => byItself(id, step)),
    ...found.plan.steps
      .filter(({ parents, node }) => parents.length === 0 && node === undefined)
      .flatMap(({ step }) => inputIssues(step, inputs)),
    ...assets.checkInputs(definition, given).map(({ message }) => message),
    ...(definition.inputs === undefined ? await schemaIssues(document, found.digest, inputs) : []),
  ];
  return {
    runId,
    request: { run_id: input.run_id ?? null, workflow_asset_id: id, inputs: given },
    workflow: found.record,
    definition,
    document,
    digest: found.digest,
    inputs,
    issues: [...new Set(issues)],
    steps: found.plan.steps.map((planned) => ({
      planned,
      task: exchangeTask(document["do"], planned.id),
      cortex: exchange(placeOf(context), planned.target),
    })),
  };
}

const EXCHANGES: ReadonlySet<string> = new Set(["api", "tool", "thread"]);

const byItself = (workflow: string, { id, target }: PlannedStep): string =>
  `workflow ${workflow} step ${id} is no exchange with CortexFS, but of kind ${target.kind}: start the workflow with lightflow run start (POST /runs/start)`;

function exchange(
  place: CortexPlace,
  target: PlannedStep["target"],
): (requestId: string) => RequestTarget | null {
  return (requestId) => {
    switch (target.kind) {
      case "api":
        return apiTarget(place, target.format, requestId);
      case "tool":
        return toolTarget(place, target.tool_id, requestId);
      case "thread":
        return threadTarget(place, target.thread_id, requestId);
      default:
        return null;
    }
  };
}

/** The document's own input schema, which an author may have given as JSON Schema in place of ports. */
async function schemaIssues(document: JsonObject, digest: string, inputs: Json): Promise<string[]> {
  const schema = (document["input"] as JsonObject | undefined)?.["schema"];
  if (schema === undefined) return [];
  const { checkSchema, Definition } = await import("../../engine/index.ts");
  try {
    checkSchema(new Definition(document, digest), "/input/schema", inputs);
    return [];
  } catch (error) {
    return [`the inputs do not match the workflow's schema: ${toFailure(error).message}`];
  }
}
