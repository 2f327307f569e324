import type { JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { authenticate } from "./session.ts";

export interface HeartbeatInput {
  tokenHash: string;
  message: JsonObject & {
    runnerId: string;
    sessionId: string;
    configHash: string;
    commandAllowlistHash: string;
    imageDigest?: string;
    status: string;
  };
  now: number;
}

function registrationOf(tx: Pick<Transaction, "get">, sessionId: string): JsonObject {
  const row = tx.get<{ registration: string }>(
    "SELECT registration FROM runner_session WHERE id = ?",
    sessionId,
  )!;
  return JSON.parse(row.registration) as JsonObject;
}

/**
 * Note that a runner lives. A hash that differs from the registered one makes the session suspicious: it takes no new
 * lease until it registers again with what was approved.
 */
export const heartbeat: Operation<HeartbeatInput, { sessionId: string }> = (
  tx,
  { tokenHash, message, now },
) => {
  const session = authenticate(tx, "heartbeat", tokenHash, now, message);
  const registered = registrationOf(tx, session.id);
  const drifted = (["configHash", "commandAllowlistHash", "imageDigest"] as const).filter(
    (field) => message[field] !== undefined && message[field] !== registered[field],
  );
  let state = session.state;
  if (drifted.length > 0 && state === "active") {
    state = "suspicious";
    appendAudit(tx, {
      tenantId: session.tenant_id,
      now,
      actor: `runner:${session.runner_id}`,
      action: "session.suspicious",
      object: `session:${session.id}`,
      body: { fields: drifted },
    });
  }
  tx.run(
    "UPDATE runner_session SET last_seen_at = ?, state = ?, healthy = ?, active_leases = ? WHERE id = ?",
    now,
    state,
    message.status === "unhealthy" ? 0 : 1,
    JSON.stringify(message["activeLeases"] ?? []),
    session.id,
  );
  return { sessionId: session.id };
};

/** What a session must be told: leases to stop, and whether to take no more. */
export const directivesOf: Query<
  { sessionId: string },
  { kind: string; leaseId?: string; fencingToken?: number; reason: string }[]
> = (tx, { sessionId }) => [
  ...tx
    .all<{ id: string; fence: number; cancel_reason: string }>(
      "SELECT id, fence, cancel_reason FROM lease WHERE session_id = ? AND state IN ('leased', 'started') AND cancel_reason IS NOT NULL",
      sessionId,
    )
    .map((lease) => ({
      kind: "cancel",
      leaseId: lease.id,
      fencingToken: lease.fence,
      reason: lease.cancel_reason,
    })),
  ...tx
    .all<{ state: string }>("SELECT state FROM runner_session WHERE id = ? AND state = 'draining'", sessionId)
    .map(() => ({ kind: "drain", reason: "asked to drain" })),
];

/** A runner that takes no more leases; those that run may end. */
export const drainSession: Operation<
  { tokenHash: string; message: { runnerId: string; sessionId: string; reason: string }; now: number },
  void
> = (tx, { tokenHash, message, now }) => {
  const session = authenticate(tx, "heartbeat", tokenHash, now, message);
  if (session.state === "draining") return;
  tx.run("UPDATE runner_session SET state = 'draining' WHERE id = ?", session.id);
  appendAudit(tx, {
    tenantId: session.tenant_id,
    now,
    actor: `runner:${session.runner_id}`,
    action: "session.draining",
    object: `session:${session.id}`,
    body: { reason: message.reason },
  });
  tx.notify("session", session.id);
};

/** Compare what a runner says it runs with against what it registered; a difference makes the session suspicious. */
export const auditSnapshot: Operation<
  { tokenHash: string; message: JsonObject & { runnerId: string; sessionId: string }; now: number },
  string[]
> = (tx, { tokenHash, message, now }) => {
  const session = authenticate(tx, "heartbeat", tokenHash, now, message);
  const registered = registrationOf(tx, session.id);
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  const fields = ["configHash", "commandAllowlistHash", "binaryDigest", "mounts"].filter(
    (field) => !same(message[field], registered[field]),
  );
  if (fields.length > 0 && session.state === "active") {
    tx.run("UPDATE runner_session SET state = 'suspicious' WHERE id = ?", session.id);
  }
  appendAudit(tx, {
    tenantId: session.tenant_id,
    now,
    actor: `runner:${session.runner_id}`,
    action: fields.length === 0 ? "snapshot.match" : "snapshot.mismatch",
    object: `session:${session.id}`,
    body: { fields },
  });
  return fields;
};
