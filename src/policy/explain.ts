import { type ErrorCode, Failure } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import { getValue, POLICY_FIELDS, type PolicyValue } from "./fields.ts";
import { type Folded, layerName } from "./fold.ts";
import { callTarget, type Placement, placeTask } from "./placement.ts";
import { type EffectivePolicy, resolveTask } from "./resolve.ts";
import {
  foldLayers,
  instanceLayers,
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
    return explainTask(body, folded, task, refused);
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
): ExplainedTask {
  const placed = placeTask(task.type, callTarget(task.task), folded.bounds);
  const base = {
    reference: task.pointer,
    name: task.name,
    type: task.type,
    runtime: placed.runtime,
    reasons: placed.reasons,
    runner_pool: null,
    command_template: null,
    network: null,
    task_ms: null,
    approval_required: false,
    fields: [],
    refused,
  };
  if (placed.runtime !== "runner" || refused !== null) return base;
  let effective: EffectivePolicy;
  try {
    effective = resolveTask(snapshot, folded, { layer: task.layer, reference: task.pointer });
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
