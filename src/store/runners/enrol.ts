import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Admission } from "../../protocol/index.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation } from "../operation.ts";

export interface EnrolInput {
  admission: Admission;
  /** What lets it in the first time: a token's digest and its end, or the runner's key itself when it is known. */
  credential: { enrolmentHash: string; expiresAt: number } | { publicKey: string };
  actor: string;
  now: number;
}

/**
 * Approve a runner. Approving again replaces the admission, the credential and everything pinned, and ends its session;
 * a quarantine stays. @returns whether the runner is quarantined
 * @throws Failure `conflict` for a token that another runner has
 */
export const enrolRunner: Operation<EnrolInput, { quarantined: boolean }> = (tx, input) => {
  const { admission, credential, actor, now } = input;
  const { tenantId, runnerId } = admission;
  const token = "publicKey" in credential ? null : credential;
  const taken = tx.get<{ tenant_id: string; runner_id: string }>(
    "SELECT tenant_id, runner_id FROM runner WHERE enrolment_hash = ?",
    token?.enrolmentHash ?? null,
  );
  if (taken !== undefined && (taken.tenant_id !== tenantId || taken.runner_id !== runnerId)) {
    throw fail("conflict", "this token is another runner's", { hint: "make a new one" });
  }
  const { state } = tx.all<{ state: string }>(
    `INSERT INTO runner (tenant_id, runner_id, host_id, state, admission, enrolment_hash, enrolment_expires_at, public_key,
       approved_snapshot, generation, created_at)
     VALUES (?, ?, ?, 'approved', ?, ?, ?, ?, ?, 0, ?)
     ON CONFLICT (tenant_id, runner_id) DO UPDATE SET host_id = excluded.host_id, admission = excluded.admission,
       enrolment_hash = excluded.enrolment_hash, enrolment_expires_at = excluded.enrolment_expires_at,
       public_key = excluded.public_key, approved_snapshot = excluded.approved_snapshot, pinned = NULL, reported = NULL,
       seen_snapshot = NULL
     RETURNING state`,
    tenantId,
    runnerId,
    admission.hostId,
    JSON.stringify(admission),
    token?.enrolmentHash ?? null,
    token?.expiresAt ?? null,
    "publicKey" in credential ? credential.publicKey : null,
    admission.snapshot === undefined ? null : JSON.stringify(admission.snapshot),
    now,
  )[0]!;
  const closed = tx.all<{ id: string }>(
    "UPDATE runner_session SET state = 'closed' WHERE tenant_id = ? AND runner_id = ? AND state <> 'closed' RETURNING id",
    tenantId,
    runnerId,
  );
  for (const { id } of closed) tx.notify("session", id);
  appendAudit(tx, {
    tenantId,
    now,
    actor,
    action: "runner.enrolled",
    object: `runner:${runnerId}`,
    body: { admission: admission as unknown as JsonObject },
  });
  return { quarantined: state === "quarantined" };
};
