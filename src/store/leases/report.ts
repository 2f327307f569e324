import { type Failure, fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { giveUp } from "../artifacts/expire.ts";
import type { Retention } from "../instances/engine-port.ts";
import type { Operation, Transaction } from "../operation.ts";
import { isolationDenial } from "./isolation.ts";
import { findLease, type LeaseCaller, whyEnded } from "./live.ts";
import { type AcceptPort, howToTake, takeResult } from "./take-result.ts";

export interface ReportInput extends LeaseCaller {
  result: JsonObject & {
    taskId: string;
    taskReference: string;
    runnerId: string;
    policyDigest: string;
    status: string;
    sandbox: { provider: string; boundary: string; mode?: string };
    artifactRefs: { name: string; sha256: string; size: number; mediaType: string }[];
  };
  /** Whole logs that the result names and whose bytes are here. */
  logs: readonly { name: string; sha256: string; size: number; mediaType: string }[];
  /** Digest of the result without its message id: an identical repeat has the same. */
  digest: string;
  /** The orchestrator of this process, which takes the result in the same commit; null leaves it to one elsewhere. */
  accept: AcceptPort | null;
}

/** The result is good, but the run could not go on from it: it is stored without, and taken later. */
export class NotTaken extends Error {}

/**
 * `complete` and `fail`: store the outcome once. A repeat of the same result is acknowledged again; another one is
 * refused and the first stays; one that comes too late is kept as a diagnosis and refused.
 */
export const reportResult: Operation<ReportInput, { refused: Failure | null }> = (tx, input) => {
  const lease = findLease(tx, input);
  const { result } = input;
  if (lease.result_digest !== null) {
    if (lease.result_digest !== input.digest) throw fail("result_conflict");
    return {
      refused:
        lease.verdict === "diagnosis" ? (whyEnded(lease, input.now) ?? fail("runner_lease_expired")) : null,
    };
  }
  for (const [echo, issued] of [
    [result.taskId, lease.step_id],
    [result.taskReference, lease.reference],
    [result.runnerId, lease.runner_id],
  ]) {
    if (echo !== issued)
      throw fail("identity_mismatch", `the result speaks of ${echo}, the lease of ${issued}`);
  }
  if (result.policyDigest !== lease.policy_digest) throw fail("policy_digest_mismatch");
  if ((result["commandTemplateId"] ?? null) !== lease.template) {
    throw fail("identity_mismatch", "the result does not name the lease's command template");
  }
  if (String(result["approvalRefs"] ?? []) !== (lease.approval ?? "")) {
    throw fail("identity_mismatch", "the result does not name the approvals of the lease");
  }
  const weak = isolationDenial(tx, lease.requirement, result.sandbox, null);
  if (weak !== null) throw weak;
  if (lease.state === "leased" && result.status === "succeeded") {
    throw fail("lease_state_conflict", "a task that was not started cannot have succeeded");
  }
  const refused = whyEnded(lease, input.now);
  const body = JSON.stringify(result);
  if (refused !== null) {
    tx.run(
      "UPDATE lease SET result_digest = ?, result = ?, verdict = 'diagnosis' WHERE id = ?",
      input.digest,
      body,
      lease.id,
    );
    // What it handed over is nobody's.
    for (const { sha256 } of [...result.artifactRefs, ...input.logs]) giveUp(tx, sha256, input.now);
    return { refused };
  }
  const row = { ...lease, lease_id: lease.id };
  const taking = input.accept === null ? null : howToTake(input.accept, row, result);
  const takes = taking !== null && taking.kind === "now";
  tx.run(
    "UPDATE /* kept */ lease SET state = 'reported', nonce = NULL, finished_at = ?, result_digest = ?, result = ?, verdict = ? WHERE id = ?",
    input.now,
    input.digest,
    body,
    takes ? "accepted" : "pending",
    lease.id,
  );
  tx.kept.lease.delete(lease.id);
  tx.notify("slot", lease.session_id);
  refer(tx, lease, result.artifactRefs, input.logs, input.now);
  if (!takes) {
    tx.notify("result", lease.id);
    return { refused: null };
  }
  try {
    takeResult(tx, input.accept!.engine, row, result, taking, input.now);
  } catch (error) {
    throw new NotTaken("the run could not go on", { cause: error });
  }
  return { refused: null };
};

/** The lease's references to bytes, each with the end of its retention. */
function refer(
  tx: Transaction,
  lease: { id: string; request_id: string; instance_id: string; tenant_id: string },
  artifacts: ReportInput["logs"],
  logs: ReportInput["logs"],
  now: number,
): void {
  if (artifacts.length + logs.length === 0) return;
  const { retention } = tx.get<{ retention: string | null }>(
    "SELECT retention FROM request WHERE id = ?",
    lease.request_id,
  )!;
  const kept = retention === null ? {} : (JSON.parse(retention) as Retention);
  const add = (kind: "artifact" | "log", each: ReportInput["logs"][number], ms: number | undefined) =>
    tx.run(
      `INSERT INTO artifact (instance_id, lease_id, name, sha256, size, media_type, kind, created_at, tenant_id, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      lease.instance_id,
      lease.id,
      each.name,
      each.sha256,
      each.size,
      each.mediaType,
      kind,
      now,
      lease.tenant_id,
      ms === undefined ? null : now + ms,
    );
  for (const each of artifacts) add("artifact", each, kept.artifactMs);
  for (const each of logs) add("log", each, kept.logMs);
}
