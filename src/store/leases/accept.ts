import type { JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import { advanceInstance, type EnginePort, type StoredInput } from "../instances/advance.ts";
import type { EventRow } from "../instances/events.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { isRevokedDiagnostic } from "../policy/snapshots.ts";
import { releaseKey } from "./concurrency.ts";
import { outcomeUnknown } from "./outcome-unknown.ts";
import { requeue } from "./requeue.ts";

interface PendingResult {
  lease_id: string;
  body: string;
  request_id: string;
  instance_id: string;
  tenant_id: string;
  runner_id: string;
  attempt: number;
  latest: number;
  request_state: string;
  effect_id: string;
  step_id: string;
  reference: string;
  policy_digest: string;
  concurrency_key: string | null;
}

export interface AcceptInput {
  engine: EnginePort;
  now: number;
  limit: number;
  /** The stored result as the engine's input for an effect, or null to leave it until what it refers to was read. */
  toInput(leaseId: string, effect: string, result: JsonObject): StoredInput | null;
}

/** How often a task that could not be started is tried before its step fails. */
const START_ATTEMPTS = 5;

/** The runner proved that its attempt did nothing: another one cannot run a command twice. */
const nothingStarted = (result: JsonObject): boolean =>
  result["errorCode"] === "execution_start_failed" && result["retrySafety"] === "safe";

export interface Accepted {
  count: number;
  left: { leaseId: string; result: JsonObject }[];
}

/**
 * Take reported results into their instances: compare-and-set on the attempt, transition, audit, and the next task's
 * request, in one transaction. A result that came too late stays as a diagnosis. @returns how many were taken, and what
 * was left
 */
export const acceptResults: Operation<AcceptInput, Accepted> = (tx, input) => {
  const left: Accepted["left"] = [];
  const pending = tx.all<PendingResult>(
    `SELECT lease.id AS lease_id, lease.result AS body, lease.request_id, lease.instance_id, lease.tenant_id, lease.runner_id, lease.attempt,
            request.attempts AS latest, request.state AS request_state, request.effect_id, request.step_id, request.reference,
            request.policy_digest, request.concurrency_key
     FROM lease JOIN request ON request.id = lease.request_id
     WHERE lease.verdict = 'pending' ORDER BY lease.finished_at LIMIT ?`,
    input.limit,
  );
  for (const row of pending) {
    const current = row.request_state === "leased" && row.attempt === row.latest;
    const result = JSON.parse(row.body) as JsonObject;
    const taken =
      result["status"] === "unknown" || !current ? null : input.toInput(row.lease_id, row.effect_id, result);
    if (current && result["status"] !== "unknown" && taken === null) {
      left.push({ leaseId: row.lease_id, result });
      continue;
    }
    tx.run("UPDATE lease SET verdict = ? WHERE id = ?", current ? "accepted" : "diagnosis", row.lease_id);
    appendAudit(tx, {
      tenantId: row.tenant_id,
      now: input.now,
      actor: `runner:${row.runner_id}`,
      action: current ? "result.accepted" : "result.diagnosis",
      object: `lease:${row.lease_id}`,
      body: {
        attempt: row.attempt,
        status: result["status"] ?? null,
        policyDigest: row.policy_digest,
        commandTemplateId: result["commandTemplateId"] ?? null,
        artifactRefs: result["artifactRefs"] ?? [],
        approvalRefs: [],
      },
    });
    if (!current) {
      if (row.request_state === "cancelled") releaseKey(tx, { ...row, id: row.request_id });
      continue;
    }
    if (nothingStarted(result) && row.attempt < START_ATTEMPTS) {
      requeue(tx, { ...row, id: row.lease_id }, String(result["summary"]), input.now);
      continue;
    }
    if (taken === null) {
      outcomeUnknown(
        tx,
        { ...row, id: row.lease_id },
        String(result["summary"] ?? "the runner does not know"),
        input.now,
      );
      continue;
    }
    tx.run(
      "UPDATE request SET state = 'satisfied', accepted_attempt = ? WHERE id = ?",
      row.attempt,
      row.request_id,
    );
    releaseKey(tx, { ...row, id: row.request_id });
    const finished: EventRow = {
      event: "step.attempt_finished",
      step_id: row.step_id,
      reference: row.reference,
      detail: {
        lease_id: row.lease_id,
        runner_id: row.runner_id,
        attempt: row.attempt,
        status: result["status"] ?? null,
        exit_code: result["exitCode"] ?? null,
        duration_ms: result["durationMs"] ?? null,
        sandbox: ((result["sandbox"] as JsonObject | undefined)?.["provider"] as string | undefined) ?? null,
        artifacts: result["artifactRefs"] ?? [],
      },
    };
    advanceInstance(tx, input.engine, row.instance_id, taken, input.now, [finished]);
  }
  return { count: pending.length - left.length, left };
};

/** When the next queued request gives up waiting, or null. */
export const nextQueueExpiry: Query<null, number | null> = (tx) =>
  tx.get<{ at: number | null }>(
    "SELECT min(expires_at) AS at FROM request WHERE state IN ('pending', 'parked')",
  )!.at;

/**
 * Requests that waited in the queue past their time: the step fails with `execution_queue_timeout`, or with the reason
 * why policy took it out of the queue.
 */
export const expireQueued: Operation<
  {
    engine: EnginePort;
    now: number;
    limit: number;
    toInput(effect: string, waitedMs: number): StoredInput;
    revoked(effect: string, reason: string): StoredInput;
  },
  number
> = (tx, input) => {
  const late = tx.all<{
    id: string;
    tenant_id: string;
    instance_id: string;
    effect_id: string;
    created_at: number;
    concurrency_key: string | null;
    diagnostic: string | null;
  }>(
    `SELECT id, tenant_id, instance_id, effect_id, created_at, concurrency_key, diagnostic FROM request
     WHERE state IN ('pending', 'parked') AND expires_at <= ? ORDER BY expires_at LIMIT ?`,
    input.now,
    input.limit,
  );
  for (const row of late) {
    const revoked = isRevokedDiagnostic(row.diagnostic) ? row.diagnostic : null;
    tx.run(
      "UPDATE request SET state = 'cancelled', diagnostic = ? WHERE id = ?",
      revoked ?? "execution_queue_timeout",
      row.id,
    );
    // A command that still runs although its policy was taken back keeps its key until its lease has ended.
    if (revoked === null || !isLive(tx, row.id)) releaseKey(tx, row);
    advanceInstance(
      tx,
      input.engine,
      row.instance_id,
      revoked === null
        ? input.toInput(row.effect_id, input.now - row.created_at)
        : input.revoked(row.effect_id, revoked),
      input.now,
    );
  }
  return late.length;
};

const isLive = (tx: Transaction, requestId: string): boolean =>
  tx.get("SELECT 1 FROM lease WHERE request_id = ? AND state IN ('leased', 'started')", requestId) !==
  undefined;
