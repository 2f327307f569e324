import { canonicalJson, digestOf } from "../../base/canonical.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { AuditSnapshot } from "../../protocol/index.ts";
import { appendAudit } from "../audit/append.ts";
import { forgetDenials } from "../leases/denials.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { HASHES, hashesOf } from "./admission.ts";
import { suspect } from "./heartbeat.ts";
import { quarantine } from "./quarantine.ts";
import { authenticate } from "./session.ts";

/** What a deep audit compares with what was approved. */
const DEEP = ["commands", "sandboxTemplates", "mounts", "networkPolicy", "secretBindings"] as const;

const deepOf = (message: AuditSnapshot): JsonObject =>
  Object.fromEntries(DEEP.map((name) => [name, message[name] as Json]));

interface Audited {
  hashes: string;
  approved_snapshot: string | null;
}

/**
 * Compare what a runner says it runs with, as canonical JSON, with what was approved; where nothing was said, the first
 * snapshot is what counts from then on. A difference quarantines the runner. Hashes that an operator has been asked about
 * already are no new difference; a list of commands that does not have the digest the runner gives for it is one.
 * @returns the fields that differ
 */
export const auditSnapshot: Operation<
  { tokenHash: string; message: AuditSnapshot; now: number },
  string[]
> = (tx, { tokenHash, message, now }) => {
  const session = authenticate(tx, "heartbeat", tokenHash, now, message);
  const audited: Audited = {
    ...tx.get<{ hashes: string }>("SELECT hashes FROM runner_session WHERE id = ?", session.id)!,
    ...tx.get<{ approved_snapshot: string | null }>(
      "SELECT approved_snapshot FROM runner WHERE tenant_id = ? AND runner_id = ?",
      session.tenant_id,
      session.runner_id,
    )!,
  };
  const seen = deepOf(message);
  const first = audited.approved_snapshot === null;
  const approved = first ? seen : (JSON.parse(audited.approved_snapshot!) as JsonObject);
  const fields: string[] = DEEP.filter(
    (name) => canonicalJson(seen[name]) !== canonicalJson(approved[name] ?? null),
  );
  if (digestOf(message.commands) !== message.commandAllowlistHash) fields.push("commandAllowlistHash");
  if (session.state !== "suspicious" && hashesOf(message) !== audited.hashes) {
    const said = JSON.parse(audited.hashes) as JsonObject;
    fields.push(...HASHES.filter((name) => (message[name] ?? null) !== (said[name] ?? null)));
  }
  const differing = [...new Set(fields)];
  tx.run(
    "UPDATE runner SET seen_snapshot = ?, approved_snapshot = coalesce(approved_snapshot, ?) WHERE tenant_id = ? AND runner_id = ?",
    JSON.stringify(seen),
    differing.length === 0 ? JSON.stringify(seen) : null,
    session.tenant_id,
    session.runner_id,
  );
  tx.run(
    "UPDATE runner_session SET audit_asked_at = NULL, audit_due_at = ? + audit_interval_ms WHERE id = ?",
    now,
    session.id,
  );
  appendAudit(tx, {
    tenantId: session.tenant_id,
    now,
    actor: `runner:${session.runner_id}`,
    action: differing.length > 0 ? "snapshot.mismatch" : first ? "snapshot.pinned" : "snapshot.match",
    object: `session:${session.id}`,
    body: { fields: differing, digest: digestOf(seen) },
  });
  if (differing.length > 0) {
    quarantine(tx, {
      tenantId: session.tenant_id,
      runnerId: session.runner_id,
      reason: `the snapshot differs in ${differing.join(", ")}`,
      facts: { fields: differing },
      actor: "controller",
      now,
    });
  }
  return differing;
};

/** When the next session is due for a deep audit, or for what follows when it does not answer one; null for never. */
export const nextAudit: Query<null, number | null> = (tx) =>
  tx.get<{ at: number | null }>(
    "SELECT min(audit_due_at) AS at FROM runner_session WHERE state IN ('active', 'suspicious', 'draining')",
  )!.at;

/** Nobody can speak for it any more; its leases stay the runner's, should it register again. */
function expire(
  tx: Transaction,
  session: { id: string; tenant_id: string; runner_id: string },
  now: number,
): void {
  tx.run("UPDATE runner_session SET state = 'closed' WHERE id = ?", session.id);
  appendAudit(tx, {
    tenantId: session.tenant_id,
    now,
    actor: "controller",
    action: "session.expired",
    object: `session:${session.id}`,
    body: { runnerId: session.runner_id },
  });
  tx.notify("session", session.id);
}

/** Remove sessions that closed long ago; whoever holds a credential of one is then unknown. @returns how many */
export const forgetSessions: Operation<{ before: number }, number> = (tx, { before }) => {
  const gone = tx.run(
    "DELETE FROM runner_session WHERE state = 'closed' AND last_seen_at < ? AND id NOT IN (SELECT session_id FROM runner WHERE session_id IS NOT NULL)",
    before,
  );
  if (gone > 0) forgetDenials(tx);
  return gone;
};

/**
 * Ask the sessions that are due for a snapshot. One that lives and does not answer becomes suspicious, then is
 * quarantined; one that is away is asked when it is back. @returns how many were looked at
 */
export const askForSnapshots: Operation<{ now: number; limit: number }, number> = (tx, { now, limit }) => {
  const due = tx.all<{
    id: string;
    tenant_id: string;
    runner_id: string;
    state: string;
    audit_asked_at: number | null;
    last_seen_at: number;
    expires_at: number;
  }>(
    `SELECT id, tenant_id, runner_id, state, audit_asked_at, last_seen_at, expires_at FROM runner_session
     WHERE state IN ('active', 'suspicious', 'draining') AND audit_due_at <= ? ORDER BY audit_due_at LIMIT ?`,
    now,
    limit,
  );
  for (const session of due) {
    const asked = session.audit_asked_at;
    const isHere = session.last_seen_at >= now - LIMITS.sessionSilentMs;
    const answerBy = (from: number) =>
      tx.run(
        "UPDATE runner_session SET audit_asked_at = ?, audit_due_at = ? WHERE id = ?",
        asked ?? from,
        from + LIMITS.auditAnswerMs,
        session.id,
      );
    if (session.expires_at <= now) expire(tx, session, now);
    else if (!isHere) {
      tx.run(
        "UPDATE runner_session SET audit_asked_at = NULL, audit_due_at = ? WHERE id = ?",
        now + LIMITS.sessionSilentMs,
        session.id,
      );
    } else if (asked === null || now - asked < LIMITS.auditAnswerMs) {
      answerBy(now);
      tx.notify("session", session.id);
    } else if (now - asked < 2 * LIMITS.auditAnswerMs && session.state !== "suspicious") {
      suspect(tx, session, { fields: ["snapshot"], reason: "it did not answer an audit" }, now);
      answerBy(now);
    } else {
      quarantine(tx, {
        tenantId: session.tenant_id,
        runnerId: session.runner_id,
        reason: "it did not answer an audit",
        facts: {},
        actor: "controller",
        now,
      });
    }
  }
  return due.length;
};
