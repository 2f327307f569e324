import { canonicalJson, digestOf } from "../../base/canonical.ts";
import { newId } from "../../base/ids.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { findArtifact } from "../artifacts/references.ts";
import { appendAudit } from "../audit/append.ts";
import { optionsOf } from "../cache/consult.ts";
import type { CallEffect, InstanceRow, QueuedRequest, RunEffect } from "../instances/engine-port.ts";
import { appendEvents } from "../instances/events.ts";
import type { Transaction } from "../operation.ts";
import { openOperatorTask, resolveOperatorTasks } from "../operators/operator-tasks.ts";
import { type ApprovalGate, type ApprovalRow, type ApprovalRuleRow, policyState } from "./approval.ts";

/** Who starts runs that nobody asks for: schedules and events. */
const NOBODY = "orchestrator";

/** What waits for a person: the task of a runner as it would be queued, or a call as it would be made. */
export type ApprovalWork =
  | { readonly kind: "run"; readonly effect: RunEffect; readonly request: QueuedRequest }
  | { readonly kind: "call"; readonly effect: CallEffect };

/**
 * Ask for an approval instead of queuing the task: until it is given there is no request that could be leased, and nobody
 * holds anything for it. One that is open for the same task stays the only one.
 */
export function openApproval(
  tx: Transaction,
  row: Pick<InstanceRow, "id" | "tenant_id" | "run_id" | "workflow" | "policy_digest" | "options">,
  work: ApprovalWork,
  gate: ApprovalGate,
  now: number,
): void {
  const { effect } = work;
  const rule: ApprovalRuleRow = {
    separation: gate.separation,
    approvers: gate.approvers,
    policyState: policyState(tx, row.tenant_id, row.policy_digest),
  };
  const kept: JsonObject =
    work.kind === "run"
      ? ({ effect, request: work.request } as unknown as JsonObject)
      : ({ effect } as unknown as JsonObject);
  insertApproval(tx, {
    tenant_id: row.tenant_id,
    instance_id: row.id,
    effect_id: effect.id,
    run_id: row.run_id,
    workflow: row.workflow,
    step_id: effect.step_id,
    reference: effect.reference,
    kind: work.kind,
    requester: optionsOf(row as InstanceRow).by ?? NOBODY,
    binding: canonicalJson(gate.binding),
    digest: digestOf(gate.binding),
    rule: JSON.stringify(rule),
    work: JSON.stringify(kept),
    queue_ms: work.kind === "run" ? Math.max(0, work.request.expiresAt - now) : 0,
    expires_at: now + gate.ttlMs,
    created_at: now,
  });
}

/** Ask again for what was approved and has been used up: the same binding, a new approval. */
export function reopenApproval(tx: Transaction, before: ApprovalRow, now: number): void {
  insertApproval(tx, {
    ...before,
    expires_at: now + (before.expires_at - before.created_at),
    created_at: now,
    rule: JSON.stringify({
      ...(JSON.parse(before.rule) as ApprovalRuleRow),
      policyState: policyState(tx, before.tenant_id, policyOf(before)),
    }),
    held: before.id,
  });
}

const policyOf = ({ binding }: Pick<ApprovalRow, "binding">): string =>
  (JSON.parse(binding) as ApprovalGate["binding"]).policyDigest;

type NewApproval = Omit<ApprovalRow, "id" | "state" | "decided_by" | "decided_at" | "note"> & {
  /** The approval before it, whose artifacts it holds too. */
  held?: string;
};

function insertApproval(tx: Transaction, row: NewApproval): void {
  const open = tx.get(
    "SELECT 1 FROM approval WHERE instance_id = ? AND effect_id = ? AND state = 'requested'",
    row.instance_id,
    row.effect_id,
  );
  if (open !== undefined) return;
  const id = newId();
  tx.run(
    `INSERT INTO approval (id, tenant_id, instance_id, effect_id, run_id, workflow, step_id, reference, kind, state, requester,
       binding, digest, rule, work, queue_ms, expires_at, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'requested', ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    row.tenant_id,
    row.instance_id,
    row.effect_id,
    row.run_id,
    row.workflow,
    row.step_id,
    row.reference,
    row.kind,
    row.requester,
    row.binding,
    row.digest,
    row.rule,
    row.work,
    row.queue_ms,
    row.expires_at,
    row.created_at,
  );
  const binding = JSON.parse(row.binding) as ApprovalGate["binding"];
  for (const artifact of new Set(binding.artifacts)) {
    const sha256 = artifact.slice("sha256:".length);
    // One of another tenant is none: nothing is held for it, and approving finds it missing.
    const held =
      row.held !== undefined &&
      tx.get("SELECT 1 FROM approval_artifact WHERE sha256 = ? AND approval_id = ?", sha256, row.held) !==
        undefined;
    if (!held && findArtifact(tx, { tenantId: row.tenant_id, sha256, now: row.created_at }) === null)
      continue;
    tx.run("INSERT INTO approval_artifact (sha256, approval_id) VALUES (?, ?)", sha256, id);
  }
  const facts = { approval: id, operations: binding.operations as Json, target: binding.target };
  openOperatorTask(tx, {
    tenantId: row.tenant_id,
    kind: "approval",
    subject: `approval:${id}`,
    instanceId: row.instance_id,
    body: {
      step_id: row.step_id,
      reference: row.reference,
      run_id: row.run_id,
      reason: `${binding.operations.join(", ")}${binding.target === null ? "" : ` to ${binding.target}`}`,
      ...facts,
    },
    now: row.created_at,
  });
  appendAudit(tx, {
    tenantId: row.tenant_id,
    now: row.created_at,
    actor: row.requester,
    action: "approval.requested",
    object: `approval:${id}`,
    body: { instanceId: row.instance_id, reference: row.reference, digest: row.digest, ...binding } as never,
  });
  appendEvents(tx, row.instance_id, row.created_at, [
    { event: "step.approval_requested", step_id: row.step_id, reference: row.reference, detail: facts },
  ]);
  tx.notify("approval", id);
}

/** The instance no longer waits for it. @returns whether there was one */
export function withdrawApproval(
  tx: Transaction,
  instanceId: string,
  effectId: string,
  now: number,
): boolean {
  const rows = tx.all<{ id: string; tenant_id: string; state: string }>(
    "UPDATE approval SET state = 'withdrawn', decided_at = ? WHERE instance_id = ? AND effect_id = ? AND state IN ('requested', 'approved') RETURNING id, tenant_id, state",
    now,
    instanceId,
    effectId,
  );
  for (const { id, tenant_id } of rows) {
    settled(tx, tenant_id, id, "no longer asked", now);
    appendAudit(tx, {
      tenantId: tenant_id,
      now,
      actor: NOBODY,
      action: "approval.withdrawn",
      object: `approval:${id}`,
      body: { instanceId },
    });
  }
  return rows.length > 0;
}

/** Nothing waits for a person any more: the inbox is told. */
export function settled(
  tx: Transaction,
  tenantId: string,
  id: string,
  resolution: string,
  now: number,
): void {
  resolveOperatorTasks(tx, { tenantId, kind: "approval", subject: `approval:${id}`, resolution, now });
  tx.notify("approval", id);
}
