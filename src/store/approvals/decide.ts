import type { ErrorCode } from "../../base/errors.ts";
import { type Failure, fail } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { coversName } from "../../policy/cover.ts";
import { appendAudit } from "../audit/append.ts";
import { advanceInstance, readInstance } from "../instances/advance.ts";
import { insertCall } from "../instances/calls.ts";
import type { CallEffect, EnginePort, QueuedRequest, RunEffect } from "../instances/engine-port.ts";
import { appendEvents } from "../instances/events.ts";
import { insertRequest } from "../instances/requests.ts";
import { releaseKey } from "../leases/concurrency.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { resolveOperatorTasks } from "../operators/operator-tasks.ts";
import { revocationOf, revokedDiagnostic } from "../policy/snapshots.ts";
import { type ApprovalRow, type ApprovalRuleRow, approvalRow, policyState } from "./approval.ts";
import { settled } from "./open.ts";

/** Whoever calls over the loopback address without a token: it may be any of those who have a name elsewhere. */
export const ANYBODY = "loopback";

export interface DecideApproval {
  engine: EnginePort;
  tenantId: string;
  approvalId: string;
  decision: "approve" | "reject";
  actor: string;
  roles: readonly string[];
  note: string;
  /** Artifacts of the binding whose bytes are gone or are others than the digest says. */
  spoilt: readonly string[];
  now: number;
}

export interface DecidedApproval {
  readonly runId: string;
  readonly state: "approved" | "rejected";
  /** Why it was refused: committed all the same, since the refusal is told in the audit and may end the step. */
  readonly refused: Failure | null;
}

/**
 * Approve or reject; the first decision counts. Approving looks at everything that is bound once more, and queues a new
 * request under the approval's id in the same transaction.
 * @throws Failure `not_found`
 */
export const decideApproval: Operation<DecideApproval, DecidedApproval> = (tx, input) => {
  const row = approvalRow(tx, input.tenantId, input.approvalId);
  const answer = (refused: Failure | null): DecidedApproval => ({
    runId: row.run_id,
    state: input.decision === "approve" ? "approved" : "rejected",
    refused,
  });
  if (row.state !== "requested") {
    const by = row.decided_by === null ? "" : ` by ${row.decided_by}`;
    const decided = fail("conflict", `approval ${row.id} is ${row.state}${by}`);
    audit(tx, row, input, "approval.refused", { reason: decided.message });
    return answer(decided);
  }
  const forbidden = mayDecide(row, input);
  if (forbidden !== null) {
    audit(tx, row, input, "approval.refused", { reason: forbidden.message });
    return answer(forbidden);
  }
  if (row.expires_at <= input.now) {
    end(tx, input.engine, row, "expired", { actor: "orchestrator", note: "" }, input.now);
    return answer(fail("approval_expired"));
  }
  if (input.decision === "reject") {
    end(tx, input.engine, row, "rejected", input, input.now);
    return answer(null);
  }
  const problem = problemOf(tx, row, input);
  if (problem !== null) {
    end(tx, input.engine, row, "invalid", { ...input, note: problem }, input.now);
    return answer(fail("approval_invalid", problem));
  }
  grant(tx, row, input);
  return answer(null);
};

function mayDecide(row: ApprovalRow, { actor, roles, decision }: DecideApproval): Failure | null {
  const rule = JSON.parse(row.rule) as ApprovalRuleRow;
  if (!roles.some((role) => rule.approvers.some((wide) => coversName(wide, role)))) {
    return fail("forbidden", `${actor} has none of the roles that may decide: ${rule.approvers.join(", ")}`, {
      hint: "an administrator gives roles to tokens: lightflow token create --role approver",
    });
  }
  return decision === "approve" && rule.separation ? sameHands(actor, row.requester) : null;
}

/** Why it is not known that somebody else started the run, or null. */
function sameHands(actor: string, requester: string): Failure | null {
  if (actor === requester && actor !== ANYBODY)
    return fail("forbidden", `${actor} started the run, and somebody else has to approve it`);
  if (actor === ANYBODY)
    return fail(
      "forbidden",
      "somebody else than who started the run has to approve it, and nobody said who this is",
      {
        hint: "approve it with a token (`lightflow token create`), or on the command line",
      },
    );
  if (requester === ANYBODY)
    return fail("forbidden", "nobody knows who started the run, and somebody else has to approve it", {
      hint: "reject it, and start the run again with a token or on the command line",
    });
  return null;
}

/** What has changed since it was asked, or null. */
function problemOf(tx: Transaction, row: ApprovalRow, { spoilt, tenantId }: DecideApproval): string | null {
  const { artifacts } = JSON.parse(row.binding) as { artifacts: string[] };
  const lost = artifacts.find((each) => spoilt.includes(each) || !holds(tx, row.id, each));
  if (lost !== undefined) return `the artifact ${lost} is not what it was`;
  const instance = readInstance(tx, row.instance_id);
  if (instance === undefined || instance.finished_at !== null) return "the run has ended";
  const binding = JSON.parse(row.binding) as { policyDigest: string; definitionDigest: string };
  if (binding.policyDigest !== instance.policy_digest) return "the run has another policy";
  if (binding.definitionDigest !== instance.definition_digest) return "the run has another definition";
  const { request } = JSON.parse(row.work) as { request?: QueuedRequest };
  const revoked = revocationOf(tx, instance.policy_digest, request?.payload);
  if (revoked !== null) return revokedDiagnostic(revoked);
  const { policyState: before } = JSON.parse(row.rule) as ApprovalRuleRow;
  return before === policyState(tx, tenantId, instance.policy_digest)
    ? null
    : "policy has changed since the approval was asked for";
}

const holds = (tx: Transaction, id: string, artifact: string): boolean =>
  tx.get(
    "SELECT 1 FROM approval_artifact WHERE sha256 = ? AND approval_id = ?",
    artifact.slice("sha256:".length),
    id,
  ) !== undefined;

/** A new request of its own, under the approval: whatever was before it stays dead. */
function grant(tx: Transaction, row: ApprovalRow, input: DecideApproval): void {
  const { now } = input;
  tx.run(
    "UPDATE approval SET state = 'approved', decided_by = ?, decided_at = ?, note = ? WHERE id = ?",
    input.actor,
    now,
    input.note,
    row.id,
  );
  resolveOperatorTasks(tx, {
    tenantId: row.tenant_id,
    kind: "approval",
    subject: `approval:${row.id}`,
    resolution: `approved by ${input.actor}`,
    now,
  });
  audit(tx, row, input, "approval.approved", {});
  const line = {
    event: "step.approved",
    step_id: row.step_id,
    reference: row.reference,
    detail: { approval: row.id, by: input.actor },
  };
  appendEvents(tx, row.instance_id, now, [line]);
  const instance = readInstance(tx, row.instance_id)!;
  const work = JSON.parse(row.work) as { effect: RunEffect | CallEffect; request?: QueuedRequest };
  if (work.effect.kind === "call") {
    consumeApproval(tx, row.id, now);
    insertCall(tx, input.engine, instance, work.effect, now);
  } else {
    const request = work.request!;
    insertRequest(
      tx,
      instance,
      work.effect,
      {
        ...request,
        id: newId(),
        payload: { ...request.payload, approvalRefs: [row.id] },
        // An attempt that has not begun when the approval ends does not begin.
        expiresAt: Math.min(now + row.queue_ms, row.expires_at),
      },
      now,
      row.id,
    );
  }
  tx.notify("instance", row.instance_id);
  tx.notify("approval", row.id);
}

/**
 * The attempt that an approval was given for begins: no other one may.
 * @throws Failure `approval_invalid` when it was used before, `approval_expired`
 */
export function consumeApproval(tx: Transaction, id: string, now: number): void {
  const row = tx.get<{ state: string; expires_at: number }>(
    "SELECT state, expires_at FROM approval WHERE id = ?",
    id,
  );
  if (row?.state !== "approved")
    throw fail("approval_invalid", `approval ${id} is ${row?.state ?? "not there"}`);
  if (row.expires_at <= now)
    throw fail("approval_expired", `approval ${id} ran out before the attempt began`);
  tx.run("UPDATE approval SET state = 'consumed' WHERE id = ?", id);
}

/** @returns whether an approval that was given ran out before anything used it */
export function expireGranted(tx: Transaction, id: string, now: number): boolean {
  const row = tx.all<{ tenant_id: string; instance_id: string }>(
    "UPDATE approval SET state = 'expired' WHERE id = ? AND state = 'approved' AND expires_at <= ? RETURNING tenant_id, instance_id",
    id,
    now,
  )[0];
  if (row === undefined) return false;
  appendAudit(tx, {
    tenantId: row.tenant_id,
    now,
    actor: "orchestrator",
    action: "approval.expired",
    object: `approval:${id}`,
    body: { instanceId: row.instance_id, after: "approved" },
  });
  return true;
}

const ERRORS = {
  rejected: "approval_rejected",
  expired: "approval_expired",
  invalid: "approval_invalid",
} as const satisfies Record<string, ErrorCode>;

/** It was not given: the task hears why. */
function end(
  tx: Transaction,
  engine: EnginePort,
  row: ApprovalRow,
  state: keyof typeof ERRORS,
  by: { actor: string; note: string },
  now: number,
): void {
  tx.run(
    "UPDATE approval SET state = ?, decided_by = ?, decided_at = ?, note = ? WHERE id = ?",
    state,
    by.actor,
    now,
    by.note,
    row.id,
  );
  settled(tx, row.tenant_id, row.id, `${state} by ${by.actor}${by.note === "" ? "" : `: ${by.note}`}`, now);
  audit(tx, row, { ...by, now }, `approval.${state}`, {});
  const line = {
    event: `step.approval_${state}`,
    step_id: row.step_id,
    reference: row.reference,
    detail: { approval: row.id, by: by.actor, ...(by.note === "" ? {} : { note: by.note }) },
  };
  // The attempt that came before, and that another one was asked for.
  const [attempted] = tx.all<{ id: string; tenant_id: string; concurrency_key: string | null }>(
    "UPDATE request SET state = 'cancelled', diagnostic = ? WHERE instance_id = ? AND effect_id = ? AND state = 'unknown' RETURNING id, tenant_id, concurrency_key",
    ERRORS[state],
    row.instance_id,
    row.effect_id,
  );
  if (attempted !== undefined) releaseKey(tx, attempted);
  const detail =
    state === "rejected"
      ? `${by.actor} rejected it${by.note === "" ? "" : `: ${by.note}`}`
      : state === "expired"
        ? "nobody approved in time"
        : by.note;
  advanceInstance(
    tx,
    engine,
    row.instance_id,
    engine.unapproved(row.effect_id, ERRORS[state], detail, row.id),
    now,
    [line],
  );
}

/** Every decision is an entry of the tenant's chain, with all that it was about. */
function audit(
  tx: Transaction,
  row: ApprovalRow,
  by: { actor: string; note: string; now: number },
  action: string,
  body: JsonObject,
): void {
  appendAudit(tx, {
    tenantId: row.tenant_id,
    now: by.now,
    actor: by.actor,
    action,
    object: `approval:${row.id}`,
    body: {
      instanceId: row.instance_id,
      reference: row.reference,
      digest: row.digest,
      requester: row.requester,
      ...(JSON.parse(row.binding) as JsonObject),
      ...(by.note === "" ? {} : { note: by.note }),
      ...body,
    },
  });
}

/** When the next open approval runs out, or null. */
export const nextApprovalExpiry: Query<null, number | null> = (tx) =>
  tx.get<{ at: number | null }>("SELECT min(expires_at) AS at FROM approval WHERE state = 'requested'")!.at;

/** Approvals that nobody gave in time: their steps fail with `approval_expired`. @returns how many */
export const expireApprovals: Operation<{ engine: EnginePort; now: number; limit: number }, number> = (
  tx,
  { engine, now, limit },
) => {
  const late = tx.all<ApprovalRow>(
    "SELECT * FROM approval WHERE state = 'requested' AND expires_at <= ? ORDER BY expires_at LIMIT ?",
    now,
    limit,
  );
  for (const row of late) end(tx, engine, row, "expired", { actor: "orchestrator", note: "" }, now);
  return late.length;
};
