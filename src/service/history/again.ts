import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { touchesSession } from "../../protocol/index.ts";
import {
  findRun,
  type InstanceRow,
  listOutcomes,
  planOf,
  type Reused,
  type RunOptions,
  readDefinition,
} from "../../store/index.ts";
import { orchestrationOf, type ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { newRunId, startAsset } from "../runs/start.ts";
import { type RunStep, stepsOfRun } from "../runs/steps.ts";
import { isFinished, runView } from "../runs/view.ts";
import { closed, RunId, StartedRun, Text } from "../shapes.ts";

/** An ended run of the engine, with what it executed. */
function ended(context: ServiceContext, runId: string) {
  const row = context.views.read(findRun, { tenantId: context.tenantId, runId });
  if (context.views.read(planOf, row) !== null) {
    throw fail("conflict", `conflict: run ${runId} is taken step by step`, {
      hint: "make another one: lightflow run create",
    });
  }
  const view = runView(row);
  if (!isFinished(view.status)) {
    throw fail("conflict", `conflict: run ${runId} has not ended`, { hint: `lightflow run wait ${runId}` });
  }
  const document = context.views.read(readDefinition, row.definition_digest);
  if (document === null) throw fail("internal", `the definition of run ${runId} is missing`);
  return { row, view, document };
}

/** Start the stored definition of a run once more. */
async function startStored(
  context: ServiceContext,
  of: { row: InstanceRow; document: JsonObject; inputs: Json },
  runId: string | undefined,
  options: RunOptions,
  reuse?: readonly Reused[],
) {
  const { row, document } = of;
  const started = await orchestrationOf(context).start({
    tenantId: context.tenantId,
    runId: runId ?? newRunId(row.workflow, context.clock.wall()),
    idempotent: false,
    sourceEventId: null,
    workflow: row.workflow,
    assetId: assetOf(document),
    document,
    digest: row.definition_digest,
    input: of.inputs,
    options: { ...options, by: context.principal.subject },
    reuse,
    // What its input was is no less private the second time.
    private: (JSON.parse(row.snapshot) as { private_input?: true }).private_input === true,
  });
  context.onStarted?.(started.runId);
  return { run_id: started.runId, instance_id: started.instanceId, created: started.created };
}

/** The asset that a document was made from. */
export function assetOf(document: JsonObject): string | null {
  const metadata = (document["document"] as JsonObject | undefined)?.["metadata"] as JsonObject | undefined;
  const id = (metadata?.["lightFlow"] as JsonObject | undefined)?.["assetId"];
  return typeof id === "string" ? id : null;
}

const NewId = Type.Optional(RunId);

export const retryRun = defineOperation({
  name: "run.retry",
  scope: "run",
  summary: "Try a run again from a step on, as a new run; outputs of the steps before it are taken over",
  method: "POST",
  path: "/runs/:run_id/retry",
  status: 202,
  input: closed({
    run_id: RunId,
    from: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    new_run_id: NewId,
  }),
  output: closed({ ...StartedRun.properties, from: Text, reused: Type.Array(Text) }),
  async run(context, input) {
    const { row, view, document } = ended(context, input.run_id);
    const steps = stepsOfRun(context, row);
    const from = fromOf(steps, input.from, input.run_id);
    const again = stepsBelow(document, steps, from);
    const outcomes = context.views.read(listOutcomes, { instanceId: row.id });
    // A workspace that steps share lives with its run: where one of them runs again, all do.
    const workspace = outcomes.some((each) => each.session) && again.has(WORKSPACE);
    const reuse = outcomes.filter((each) => !again.has(each.step_id) && !(workspace && each.session));
    const started = await startStored(
      context,
      { row, document, inputs: view.inputs },
      input.new_run_id,
      { cache: "off", reuses: true, origin: { run_id: row.run_id, how: "retry" } },
      reuse.map(({ reference, output, record }) => ({ reference, output, record })),
    );
    return { ...started, from, reused: [...new Set(reuse.map(({ step_id }) => step_id))] };
  },
});

/** Stands for the shared workspace among the steps that run again. */
const WORKSPACE = "\0workspace";
const STRUCTURE = new Set(["do", "graph", "try", "for", "fork", "map", "switch"]);

function fromOf(steps: readonly RunStep[], given: string | undefined, runId: string): string {
  if (given !== undefined) {
    if (steps.some(({ step_id }) => step_id === given)) return given;
    throw fail("not_found", `not found: step ${given} of run ${runId}`, {
      hint: `the run reached: ${[...new Set(steps.map(({ step_id }) => step_id))].join(", ") || "nothing"}`,
    });
  }
  const failed = steps.find(
    ({ status, kind }) => !STRUCTURE.has(kind) && status !== "succeeded" && status !== "skipped",
  );
  if (failed !== undefined) return failed.step_id;
  throw fail("conflict", `conflict: no step of run ${runId} failed`, {
    hint: "name the step to begin with: --from STEP",
  });
}

/**
 * The step and those that come after it: in a graph those that need it, directly or not; elsewhere those that the run reached
 * later.
 */
function stepsBelow(document: JsonObject, steps: readonly RunStep[], from: string): Set<string> {
  const again = new Set([from]);
  const graph = graphOf(document["do"], from);
  const inGraph = new Set(Object.keys(graph ?? {}));
  if (graph !== null) {
    for (let grew = true; grew; ) {
      grew = false;
      for (const [name, step] of Object.entries(graph)) {
        const needs = ((step as JsonObject)["needs"] ?? []) as string[];
        if (again.has(name) || !needs.some((need) => again.has(need))) continue;
        again.add(name);
        grew = true;
      }
    }
  }
  const at = steps.findIndex(({ step_id }) => step_id === from);
  for (const { step_id } of steps.slice(at)) if (!inGraph.has(step_id)) again.add(step_id);
  if (sharesWorkspace(document["do"], again)) again.add(WORKSPACE);
  return again;
}

/** The steps of the graph that a step stands in, or null. */
function graphOf(value: Json | undefined, step: string): JsonObject | null {
  if (typeof value !== "object" || value === null) return null;
  if (!Array.isArray(value) && isObject(value["graph"])) {
    const steps = (value["graph"] as JsonObject)["steps"];
    if (isObject(steps) && Object.hasOwn(steps, step)) return steps as JsonObject;
  }
  for (const member of Object.values(value)) {
    const found = graphOf(member, step);
    if (found !== null) return found;
  }
  return null;
}

/** Whether one of the steps works in the run's shared workspace. */
function sharesWorkspace(value: Json | undefined, names: ReadonlySet<string>, name = ""): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (!Array.isArray(value)) {
    const metadata = value["metadata"];
    const light = isObject(metadata) ? (metadata as JsonObject)["lightWorkflow"] : undefined;
    const lightFlow = isObject(metadata) ? (metadata as JsonObject)["lightFlow"] : undefined;
    const own = isObject(lightFlow) ? (lightFlow as JsonObject)["step"] : undefined;
    const step = typeof own === "string" ? own : name;
    if (isObject(light) && touchesSession((light as JsonObject)["workspace"]) && names.has(step)) return true;
  }
  return Object.entries(value).some(([key, member]) => sharesWorkspace(member, names, key));
}

export const rerunRun = defineOperation({
  name: "run.rerun",
  scope: "run",
  summary: "Run the workflow of a run again as its file says now, with its inputs or some changed",
  method: "POST",
  path: "/runs/:run_id/rerun",
  status: 202,
  input: closed({
    run_id: RunId,
    new_run_id: NewId,
    set: Type.Optional(Type.Record(Type.String({ maxLength: 256 }), Type.String())),
    no_cache: Type.Optional(Type.Boolean()),
    project_root: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    working_directory: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  }),
  output: StartedRun,
  async run(context, input) {
    const { row, view, document } = ended(context, input.run_id);
    const origin = { run_id: row.run_id, how: "rerun" as const };
    const asset = assetOf(document);
    const { run_id: _, new_run_id: runId, set, ...rest } = input;
    if (asset !== null) {
      return await startAsset(context, {
        ...rest,
        workflow_asset_id: asset,
        inputs: view.inputs,
        ...(set === undefined ? {} : { set: set as Record<string, string> }),
        ...(runId === undefined ? {} : { run_id: runId }),
        origin,
      });
    }
    const options: RunOptions = { origin, ...(input.no_cache === true ? { cache: "off" } : {}) };
    const { layInputs } = await import("../runs/inputs.ts");
    const inputs = layInputs({} as never, {
      inputs: view.inputs,
      set: set as Record<string, string> | undefined,
    });
    return await startStored(context, { row, document, inputs }, runId, options);
  },
});

export const replayRun = defineOperation({
  name: "run.replay",
  scope: "run",
  summary: "Run the stored definition of a run again with its inputs, taking nothing from the cache",
  method: "POST",
  path: "/runs/:run_id/replay",
  status: 202,
  input: closed({ run_id: RunId, new_run_id: NewId }),
  output: StartedRun,
  run(context, input) {
    const { row, view, document } = ended(context, input.run_id);
    return startStored(context, { row, document, inputs: view.inputs }, input.new_run_id, {
      cache: "off",
      origin: { run_id: row.run_id, how: "replay" },
    });
  },
});
