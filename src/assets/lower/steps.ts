import type { Json, JsonObject } from "../../base/json.ts";
import type { Resource, Retry } from "../definition/types.ts";
import { grouped, jqOf } from "../plan/jq.ts";
import { behaviourReferences } from "../plan/reads.ts";
import { expressionBody, referencesOf } from "../plan/references.ts";
import type { Components, PlannedStep } from "../plan/types.ts";
import { type Behaviour, behaviourOf } from "./behaviour.ts";
import { schemaOfPorts } from "./schemas.ts";
import { exportEntry, Scope } from "./scope.ts";

/** What the lowering of one workflow shares. */
export interface Lowering {
  /** jq of the root scope. */
  readonly root: string;
  readonly components: Components;
  /** Of the workflow, for the runner's queue. */
  readonly priority: number | undefined;
  readonly resources: Readonly<Record<string, Resource>>;
  /** Where a `then` leads: the ids of the plan for those that the author wrote. */
  target(then: string): string;
}

/**
 * One step as a task of the workflow language. Around the task that does the work stand, as far as the step asks for
 * them, a `try` that repeats it and a `map` or `for` that runs it many times.
 */
export function taskOf(planned: PlannedStep, lowering: Lowering): JsonObject {
  const { id, step } = planned;
  const behaviour = behaviourOf(planned, lowering.components);
  const looped = step.map !== undefined || step.while !== undefined;
  const inner = workTask(planned, behaviour, lowering);
  const tried = step.retry === undefined ? inner : retried(id, inner, step.retry);
  const repeated = looped ? loop(planned, tried, behaviour, lowering) : tried;
  const around = step.tolerate === true ? tolerated(id, repeated, lowering) : repeated;
  return {
    ...condition(planned, lowering),
    ...around,
    ...(step.then === undefined ? {} : { then: lowering.target(step.then) }),
  };
}

/** The task that does the work of a step. */
function workTask(planned: PlannedStep, behaviour: Behaviour, lowering: Lowering): JsonObject {
  const { id, step, target, node } = planned;
  const scope = new Scope(lowering.root, planned.inner);
  const task = { ...behaviour.task };
  if (target.kind === "switch") {
    task["switch"] = (task["switch"] as JsonObject[]).map((item) =>
      Object.fromEntries(
        Object.entries(item).map(([name, each]) => {
          const branch = each as { when?: string; then: string };
          return [name, { ...branch, then: lowering.target(branch.then) }];
        }),
      ),
    );
  }
  const shaped = outputOf(planned, behaviour);
  return {
    input: { from: scope.input(behaviourReferences(target, step, [node?.result])) },
    ...task,
    ...(shaped === undefined ? {} : { output: shaped }),
    ...(step.map === undefined && behaviour.result !== "none"
      ? { export: { as: exportOf(planned, behaviour, lowering) } }
      : {}),
    ...(step.timeout === undefined ? {} : { timeout: { after: step.timeout } }),
    metadata: metadataOf(planned, behaviour, lowering, id),
  };
}

/**
 * The output of a node in the shape of its ports. `.` of `result` is `{inputs, output}`, for a command with the rest of
 * its record. In a map each item gives the entry that a step by itself would leave.
 */
function outputOf(planned: PlannedStep, behaviour: Behaviour): JsonObject | undefined {
  const { node, step, target } = planned;
  const record = behaviour.result === "record";
  const result = node?.result;
  const outputs = node?.outputs;
  const schema =
    outputs !== undefined && (result !== undefined || target.kind === "code" || target.kind === "set")
      ? schemaOfPorts(outputs)
      : undefined;
  const shape =
    result === undefined
      ? undefined
      : `({inputs: $input.inputs} + ${record ? "." : "{output: .}"} | ${jqOf(result)})`;
  if (step.map !== undefined) {
    const entry = record
      ? shape === undefined
        ? "."
        : `. + {output: ${shape}}`
      : `{output: ${shape ?? "."}}`;
    return {
      as: `\${ ${entry} }`,
      ...(schema === undefined
        ? {}
        : { schema: { document: { type: "object", properties: { output: schema }, required: ["output"] } } }),
    };
  }
  if (shape === undefined && schema === undefined) return undefined;
  const wraps = record && shape === undefined;
  return {
    ...(shape === undefined ? {} : { as: `\${ ${shape} }` }),
    ...(schema === undefined
      ? {}
      : {
          schema: {
            document: wraps
              ? { type: "object", properties: { output: schema }, required: ["output"] }
              : schema,
          },
        }),
  };
}

function exportOf(planned: PlannedStep, behaviour: Behaviour, { root }: Lowering): string {
  const shaped = planned.node?.result !== undefined;
  const entry =
    behaviour.result === "value"
      ? "{output: $result}"
      : shaped
        ? "($task.output + {output: $result})"
        : "$result";
  return exportEntry(root, planned.id, entry);
}

/** The step's own condition and those of the compositions around it, on the raw input, before `input.from`. */
function condition({ step, outer, conditions }: PlannedStep, { root }: Lowering): { if?: string } {
  const all = [...conditions, ...(step.if === undefined ? [] : [{ expression: step.if, view: outer }])];
  if (all.length === 0) return {};
  const [only] = all;
  if (all.length === 1) return { if: new Scope(root, only!.view).expression(only!.expression) };
  const parts = all.map(({ expression, view }) => {
    const body = expressionBody(expression) ?? "true";
    return `(${new Scope(root, view).filter(body, expression)})`;
  });
  return { if: `\${ ${parts.join(" and ")} }` };
}

function retried(id: string, task: JsonObject, retry: Retry): JsonObject {
  const { delay, backoff } = retry;
  return {
    try: [{ [id]: task }],
    catch: {
      retry: {
        ...(delay === undefined ? {} : { delay }),
        ...(backoff === undefined ? {} : { backoff: { [backoff]: {} } }),
        limit: { attempt: { count: retry.attempts } },
      },
    },
    metadata: { lightFlow: { wraps: id } },
  };
}

/** Whatever it fails with becomes its entry. */
function tolerated(id: string, task: JsonObject, { root }: Lowering): JsonObject {
  const metadata = { lightFlow: { wraps: id } };
  const noted = {
    set: "${ $problem }",
    export: { as: exportEntry(root, id, "{output: null, error: $result}") },
    metadata,
  };
  return {
    try: [{ [id]: task }],
    catch: { as: "problem", do: [{ [`${id}-failed`]: noted }] },
    metadata,
  };
}

function loop(planned: PlannedStep, task: JsonObject, behaviour: Behaviour, lowering: Lowering): JsonObject {
  const { id, step } = planned;
  const scope = new Scope(lowering.root, planned.outer);
  const metadata = { lightFlow: { wraps: id } };
  if (step.map !== undefined) {
    const { over, concurrency } = step.map;
    const artifacts =
      behaviour.result === "record" ? ", artifacts: ($result | map(.artifacts // []) | add // [])" : "";
    return {
      map: {
        in: scope.expression(over),
        ...(concurrency === undefined ? {} : { concurrency }),
      },
      do: [{ [id]: task }],
      export: { as: exportEntry(lowering.root, id, `{output: ($result | map(.output))${artifacts}}`) },
      metadata,
    };
  }
  const { that, limit } = step.while!;
  const body = expressionBody(that) ?? "true";
  return {
    for: { in: `\${ [range(${limit})] }` },
    while: `\${ ${lowering.root} as $root | (${planned.outer.render(referencesOf(that))} + {index: $index}) | ${grouped(body)} }`,
    do: [{ [id]: task }],
    metadata,
  };
}

function metadataOf(planned: PlannedStep, behaviour: Behaviour, lowering: Lowering, id: string): JsonObject {
  const { step, parents, asset, models } = planned;
  const priority = step.priority ?? lowering.priority;
  const held = Object.entries(step.resources ?? {}).flatMap(([name, units]) => {
    const resource = lowering.resources[name];
    return resource === undefined ? [] : [{ name, units, ...resource }];
  });
  const pool = held.find((resource) => resource.pool !== undefined)?.pool;
  const runs = planned.target.kind === "command" || planned.target.kind === "code";
  const runner = (behaviour.light?.["runner"] ?? {}) as JsonObject;
  const light: JsonObject = {
    ...(runs && pool !== undefined && runner["runnerPool"] === undefined
      ? { runner: { ...runner, runnerPool: pool } }
      : {}),
    ...(runs && priority !== undefined ? { priority } : {}),
    // The graph counts the units of one run; the queue of the runners those of all runs.
    ...(runs && held[0] !== undefined
      ? { concurrency: held.length === 1 ? sharedLimit(held[0]) : held.map(sharedLimit) }
      : {}),
  };
  const lightWorkflow: JsonObject = { ...behaviour.light, ...light };
  const lightFlow: JsonObject = {
    step: id,
    ...(step.title === undefined ? {} : { title: step.title }),
    // The file whose text is the behaviour: what a step of the workflow's own does, its task says whole.
    ...(asset === null ? {} : { node: asset }),
    ...(asset === planned.sourceId ? { source: planned.source } : {}),
    ...(parents.length === 0 ? {} : { parents: [...parents] }),
    ...(models.length === 0 ? {} : { models: modelsOf(models, lowering.components) }),
    ...(planned.impure ? { impure: true } : {}),
  };
  return { ...(Object.keys(lightWorkflow).length === 0 ? {} : { lightWorkflow }), lightFlow };
}

function sharedLimit({ name, units, capacity }: Resource & { name: string; units: number }): JsonObject {
  return { key: `resource/${name}`, limit: Math.max(1, Math.floor(capacity / units)) };
}

/** Each model with the digest of its file: another choice of candidates is another step. */
function modelsOf(aliases: readonly string[], components: Components): Json {
  return aliases.map((alias) => {
    const found = components.get(alias);
    return { alias, ...(found === undefined ? {} : { source: found.record.source_sha256 }) };
  });
}
