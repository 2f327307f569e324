import { appendAudit } from "../audit/append.ts";
import type { Transaction } from "../operation.ts";
import type { SessionRow } from "../runners/session.ts";
import type { Denial } from "./admission.ts";

/**
 * Note that a session may not have the tasks of a partition: one audit entry for each pair of them, and the reason on
 * the task that waited longest. Claims come again and again; what was noted before costs one look into memory.
 */
export function noteDenial(
  tx: Transaction,
  partition: { id: number; tenant_id: string },
  session: SessionRow,
  denial: Denial,
  now: number,
): void {
  const key = `denial ${partition.id} ${session.id}`;
  if (tx.recall(key) === denial.code) return;
  const noted = tx.get<{ code: string }>(
    "SELECT code FROM denial WHERE requirement = ? AND session_id = ?",
    partition.id,
    session.id,
  );
  tx.remember(key, denial.code);
  if (noted?.code === denial.code) return;
  tx.run(
    `INSERT INTO denial (requirement, session_id, runner_id, check_number, code, message, noted_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (requirement, session_id) DO UPDATE SET check_number = excluded.check_number, code = excluded.code,
       message = excluded.message, noted_at = excluded.noted_at`,
    partition.id,
    session.id,
    session.runner_id,
    denial.check,
    denial.code,
    denial.message,
    now,
  );
  const waiting = tx.get<{ id: string; policy_digest: string }>(
    "SELECT id, policy_digest FROM request WHERE requirement = ? AND state = 'pending' ORDER BY priority DESC, created_at, id LIMIT 1",
    partition.id,
  );
  if (waiting === undefined) return;
  tx.run(
    "UPDATE request SET diagnostic = ? WHERE id = ? AND diagnostic IS NULL",
    `${denial.code}: ${denial.message}`,
    waiting.id,
  );
  appendAudit(tx, {
    tenantId: partition.tenant_id,
    now,
    actor: "controller",
    action: "lease.denied",
    object: `request:${waiting.id}`,
    body: {
      runnerId: session.runner_id,
      sessionId: session.id,
      check: denial.check,
      reason: denial.code,
      detail: denial.message,
      policyDigest: waiting.policy_digest,
    },
  });
}

/** Denials of sessions that are not known any more. */
export function forgetDenials(tx: Transaction): void {
  tx.run("DELETE FROM denial WHERE session_id NOT IN (SELECT id FROM runner_session)");
}
