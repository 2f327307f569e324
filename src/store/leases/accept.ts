import type { JsonObject } from "../../base/json.ts";
import { expireGranted } from "../approvals/decide.ts";
import { advanceInstance } from "../instances/advance.ts";
import type { EnginePort, StoredInput } from "../instances/engine-port.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { isRevokedDiagnostic } from "../policy/snapshots.ts";
import { releaseKey } from "./concurrency.ts";
import { type AcceptPort, howToTake, type Reported, takeResult } from "./take-result.ts";

export interface AcceptInput extends AcceptPort {
  now: number;
  limit: number;
}

export interface Accepted {
  count: number;
  left: { leaseId: string; result: JsonObject }[];
}

/**
 * Take results that were reported where no orchestrator was at hand, or that name texts which had to be read first:
 * compare-and-set on the attempt, transition, audit, and the next task's request, in one transaction. A result that came
 * too late stays as a diagnosis. @returns how many were taken, and what was left
 */
export const acceptResults: Operation<AcceptInput, Accepted> = (tx, input) => {
  const left: Accepted["left"] = [];
  const pending = tx.all<Reported & { body: string }>(
    `SELECT lease.id AS lease_id, lease.result AS body, lease.request_id, lease.instance_id, lease.tenant_id, lease.runner_id, lease.attempt, lease.issued_at,
            request.attempts AS latest, request.state AS request_state, request.effect_id, request.step_id, request.reference,
            request.policy_digest, request.concurrency_key, request.approval
     FROM lease JOIN request ON request.id = lease.request_id
     WHERE lease.verdict = 'pending' ORDER BY lease.finished_at LIMIT ?`,
    input.limit,
  );
  for (const { body, ...row } of pending) {
    const result = JSON.parse(body) as JsonObject;
    const taking = howToTake(input, row, result);
    if (taking.kind === "later") {
      left.push({ leaseId: row.lease_id, result });
      continue;
    }
    const verdict = taking.kind === "now" ? "accepted" : "diagnosis";
    tx.run("UPDATE lease SET verdict = ? WHERE id = ?", verdict, row.lease_id);
    takeResult(tx, input.engine, row, result, taking, input.now);
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
    approval: string | null;
    diagnostic: string | null;
  }>(
    `SELECT id, tenant_id, instance_id, effect_id, created_at, concurrency_key, approval, diagnostic FROM request
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
    const ranOut = row.approval !== null && expireGranted(tx, row.approval, input.now);
    // A command that still runs although its policy was taken back keeps its key until its lease has ended.
    if (revoked === null || !isLive(tx, row.id)) releaseKey(tx, row);
    advanceInstance(
      tx,
      input.engine,
      row.instance_id,
      revoked !== null
        ? input.revoked(row.effect_id, revoked)
        : ranOut
          ? input.engine.unapproved(row.effect_id, "approval_expired", RAN_OUT, row.approval!)
          : input.toInput(row.effect_id, input.now - row.created_at),
      input.now,
    );
  }
  return late.length;
};

const RAN_OUT = "the approval ran out before an attempt began";

const isLive = (tx: Transaction, requestId: string): boolean =>
  tx.get("SELECT 1 FROM lease WHERE request_id = ? AND state IN ('leased', 'started')", requestId) !==
  undefined;
