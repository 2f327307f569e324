import { type ErrorCode, Failure } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import { type AgentNeeds, agentMode, agentQuestion } from "./agent-question.ts";
import { getValue, POLICY_FIELDS, type PolicyValue } from "./fields.ts";
import { type Folded, layerName } from "./fold.ts";
import { callTarget, type Placement, placeAgent, placeTask } from "./placement.ts";
import { withoutTemplates } from "./request.ts";
import { type EffectivePolicy, type PolicyQuestion, resolveTask, taskPolicy } from "./resolve.ts";
import {
  foldLayers,
  instanceLayers,
  lightOf,
  type PolicyRegistry,
  type PolicySnapshot,
  type PolicyTask,
  pinTask,
  policyTasks,
  snapshotPolicy,
  type WorkspacePolicy,
} from "./snapshot.ts";

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  /** What asked for too much, of which field; null where the refusal is about something else. */
  readonly layer: string | null;
  readonly field: string | null;
}

export interface ExplainedField {
  readonly field: string;
  readonly value: PolicyValue;
  /** How two layers are joined in this field. */
  readonly meet: string;
  readonly decided_by: readonly string[];
}

/** A published agent, as far as policy looks at it. */
export interface KnownAgent {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly agent: AgentNeeds;
}

/** Where the call of an agent would be made, for what is known before it runs: what its input holds is not. */
export interface ExplainedAgent {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly placement: string;
  readonly model_provider_scope: string;
  readonly data_boundary: string;
  readonly tools: readonly string[];
}

export interface ExplainedTask {
  readonly reference: string;
  readonly name: string;
  readonly type: string;
  readonly runtime: Placement["runtime"];
  readonly reasons: readonly string[];
  readonly runner_pool: string | null;
  readonly command_template: {
    readonly id: string;
    readonly version: number;
    readonly digest: string;
  } | null;
  /** Of a task that calls a published agent. */
  readonly agent: ExplainedAgent | null;
  /** What it is granted, which is less than what is allowed where it does not ask. */
  readonly network: string | null;
  readonly task_ms: number | null;
  readonly approval_required: boolean;
  readonly fields: readonly ExplainedField[];
  readonly refused: Refusal | null;
}

export interface ExplainedPolicy {
  readonly tenant: string;
  /** Null when a start would be refused. */
  readonly digest: string | null;
  readonly layers: readonly string[];
  readonly fields: readonly ExplainedField[];
  readonly tasks: readonly ExplainedTask[];
  readonly refused: Refusal | null;
}

/** What policy makes of a document, field by field, without starting anything. A refusal is part of the answer. */
export function explainPolicy(
  registry: PolicyRegistry,
  document: JsonObject,
  workspace: readonly WorkspacePolicy[] = [],
  agentOf: (reference: string) => KnownAgent | null = () => null,
): ExplainedPolicy {
  const nothing = { tenant: registry.tenantId, digest: null, layers: [], fields: [], tasks: [] };
  let layers: PolicySnapshot["layers"];
  let folded: Folded;
  try {
    layers = instanceLayers(registry, document, workspace);
    folded = foldLayers(layers);
  } catch (error) {
    return { ...nothing, refused: refusalOf(error) };
  }
  const templates = {};
  const pools = {};
  const body: PolicySnapshot = { version: 2, layers, templates, pools };
  const tasks = [...policyTasks(document)].map((task) => {
    let refused: Refusal | null = null;
    try {
      pinTask(registry, body, folded, task, templates, pools);
    } catch (error) {
      refused = refusalOf(error);
    }
    return explainTask(body, folded, task, refused, agentOf);
  });
  let digest: string | null = null;
  let refused: Refusal | null = null;
  try {
    digest = snapshotPolicy(registry, document, workspace).digest;
  } catch (error) {
    refused = refusalOf(error);
  }
  return {
    tenant: registry.tenantId,
    digest,
    layers: layers.map(layerName),
    fields: fieldsOf(folded.bounds, folded.decidedBy),
    tasks,
    refused,
  };
}

function explainTask(
  snapshot: PolicySnapshot,
  folded: Folded,
  task: PolicyTask,
  refused: Refusal | null,
  agentOf: (reference: string) => KnownAgent | null,
): ExplainedTask {
  let placed: Placement = placeTask(task.type, callTarget(task.task), folded.bounds);
  let agent: ExplainedAgent | null = null;
  let problem = refused;
  if (task.type === "call.agent" && problem === null) {
    try {
      const explained = explainAgent(folded, task, agentOf);
      placed = explained.placed;
      agent = explained.agent;
    } catch (error) {
      problem = refusalOf(error);
    }
  }
  const base = {
    reference: task.pointer,
    name: task.name,
    type: task.type,
    runtime: placed.runtime,
    reasons: placed.reasons,
    runner_pool: null,
    command_template: null,
    agent,
    network: null,
    task_ms: null,
    approval_required: false,
    fields: [],
    refused: problem,
  };
  if (placed.runtime !== "runner" || problem !== null) return base;
  let effective: EffectivePolicy;
  try {
    effective = resolveTask(snapshot, folded, questionOf(task));
  } catch (error) {
    return { ...base, refused: refusalOf(error) };
  }
  const { template } = effective;
  return {
    ...base,
    runner_pool: effective.runnerPool,
    command_template:
      template === null ? null : { id: template.id, version: template.version, digest: template.digest },
    network: effective.network,
    task_ms: effective.taskMs,
    approval_required: effective.approval.required,
    fields: fieldsOf(effective.policy, effective.decidedBy),
  };
}

/** The worker of an agent is the product's own, and what it runs a model wrote; its templates are those of its tools. */
function questionOf({ type, layer, pointer }: PolicyTask): PolicyQuestion {
  if (type !== "call.agent") return { layer, reference: pointer };
  return { layer: withoutTemplates(layer), reference: pointer, fixedAction: true, modelGenerated: true };
}

/** @throws Failure `execution_policy_denied` for what a call would be refused with */
function explainAgent(
  folded: Folded,
  { task, layer, pointer }: PolicyTask,
  agentOf: (reference: string) => KnownAgent | null,
): { placed: Placement; agent: ExplainedAgent | null } {
  const given = (isObject(task["with"]) ? task["with"] : {}) as JsonObject;
  const reference = String(given["agent"]);
  const known = agentOf(reference);
  if (known === null) {
    const reasons = [
      `where ${reference} runs is decided when it is called: no agent is published by that name`,
    ];
    return { placed: { runtime: "orchestrator", reasons }, agent: null };
  }
  const question = agentQuestion(agentMode("agent", given), lightOf(task), known.agent, false);
  const placed = placeAgent(question, taskPolicy(folded, { layer, reference: pointer }));
  return {
    placed: { runtime: placed.runtime, reasons: placed.reasons },
    agent: {
      name: known.name,
      version: known.version,
      digest: known.digest,
      placement: placed.agentPlacement,
      model_provider_scope: placed.modelProviderScope,
      data_boundary: placed.dataBoundary,
      tools: question.tools,
    },
  };
}

const fieldsOf = (layer: PolicyLayer, decidedBy: ReadonlyMap<string, readonly string[]>): ExplainedField[] =>
  POLICY_FIELDS.flatMap((field) => {
    const value = getValue(layer, field.path);
    return value === undefined
      ? []
      : [{ field: field.path, value, meet: field.meet, decided_by: decidedBy.get(field.path) ?? [] }];
  });

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Failure)) throw error;
  const { layer, field } = (error.details ?? {}) as { layer?: string; field?: string };
  return { code: error.code, message: error.message, layer: layer ?? null, field: field ?? null };
}
