import type { JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Heartbeat } from "../../protocol/index.ts";
import { appendAudit } from "../audit/append.ts";
import { leaveKey } from "../leases/concurrency.ts";
import { requeue } from "../leases/requeue.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { openOperatorTask } from "../operators/operator-tasks.ts";
import { HASHES, hashesOf } from "./admission.ts";
import { authenticate } from "./session.ts";

export interface HeartbeatInput {
  tokenHash: string;
  message: Heartbeat;
  now: number;
}

interface Beating {
  id: string;
  tenant_id: string;
  runner_id: string;
  state: string;
  hashes: string;
  healthy: number;
  active_leases: string;
  created_at: number;
  last_seen_at: number;
}

/** Until when a session's credentials live after a heartbeat at `now`. */
const renewedUntil = (createdAt: number, now: number): number =>
  Math.min(now + LIMITS.credentialMs, createdAt + LIMITS.sessionMs);

const isHealthy = (message: Heartbeat): number =>
  message.status !== "unhealthy" && message.watchdog === "ok" && message.journal === "ok" ? 1 : 0;

function beating(tx: Pick<Transaction, "get">, { tokenHash, message, now }: HeartbeatInput): Beating {
  const { id } = authenticate(tx, "heartbeat", tokenHash, now, message);
  return tx.get<Beating>(
    "SELECT id, tenant_id, runner_id, state, hashes, healthy, active_leases, created_at, last_seen_at FROM runner_session WHERE id = ?",
    id,
  )!;
}

/** Offers that are older than their way takes, and that the runner does not list: they never arrived. */
function lostOffers(
  tx: Pick<Transaction, "all">,
  sessionId: string,
  message: Heartbeat,
  now: number,
): string[] {
  const listed = new Set(message.activeLeases.map(({ leaseId }) => leaseId));
  return tx
    .all<{ id: string }>(
      "SELECT id FROM lease WHERE session_id = ? AND state IN ('leased', 'started') AND state = 'leased' AND issued_at < ?",
      sessionId,
      now - LIMITS.lostOfferMs,
    )
    .flatMap(({ id }) => (listed.has(id) ? [] : [id]));
}

export interface Beat {
  sessionId: string;
  expiresAt: number;
  /** It says what the last one said: that it came need not be on disk before it is answered. */
  same: boolean;
}

/**
 * What a heartbeat brings, without writing. Most of a thousand runners say what they said before.
 * @throws Failure as {@link authenticate}
 */
export const readHeartbeat: Query<HeartbeatInput, Beat> = (tx, input) => {
  const { message, now } = input;
  const session = beating(tx, input);
  return {
    sessionId: session.id,
    expiresAt: renewedUntil(session.created_at, now),
    same:
      // One that was away claims next, and must then be known to be back.
      now - session.last_seen_at < 2 * LIMITS.heartbeatMs &&
      (hashesOf(message) === session.hashes || session.state === "suspicious") &&
      isHealthy(message) === session.healthy &&
      JSON.stringify(message.activeLeases) === session.active_leases &&
      lostOffers(tx, session.id, message, now).length === 0,
  };
};

/** Note that sessions live, and so renew their credentials. */
export const touchSessions: Operation<ReadonlyMap<string, number>, void> = (tx, seen) => {
  for (const [id, at] of seen) {
    tx.run(
      "UPDATE runner_session SET last_seen_at = ?, expires_at = min(?, created_at + ?) WHERE id = ? AND state <> 'closed'",
      at,
      at + LIMITS.credentialMs,
      LIMITS.sessionMs,
      id,
    );
  }
};

/**
 * A heartbeat that says something new. Hashes that are not the approved ones make the session suspicious: it takes no new
 * lease until an operator approves them, and a deep audit is asked for at once.
 */
export const heartbeat: Operation<HeartbeatInput, Beat> = (tx, input) => {
  const { message, now } = input;
  const session = beating(tx, input);
  const stated = hashesOf(message);
  if (stated !== session.hashes && session.state !== "suspicious" && session.state !== "quarantined") {
    const approved = JSON.parse(session.hashes) as JsonObject;
    const reported: JsonObject = {};
    for (const name of HASHES) {
      if ((message[name] ?? null) !== (approved[name] ?? null)) reported[name] = message[name] ?? null;
    }
    suspect(tx, session, { fields: Object.keys(reported), reported }, now);
    tx.run(
      "UPDATE runner SET reported = ? WHERE tenant_id = ? AND runner_id = ?",
      JSON.stringify(reported),
      session.tenant_id,
      session.runner_id,
    );
    tx.run(
      "UPDATE runner_session SET audit_asked_at = coalesce(audit_asked_at, ?), audit_due_at = ? WHERE id = ?",
      now,
      now + LIMITS.auditAnswerMs,
      session.id,
    );
  }
  // Claims that wait know the session as it was.
  if (isHealthy(message) !== session.healthy) tx.notify("session", session.id);
  for (const id of lostOffers(tx, session.id, message, now)) takeBack(tx, session, id, now);
  tx.run(
    "UPDATE runner_session SET last_seen_at = ?, expires_at = ?, healthy = ?, active_leases = ? WHERE id = ?",
    now,
    renewedUntil(session.created_at, now),
    isHealthy(message),
    JSON.stringify(message.activeLeases),
    session.id,
  );
  return { sessionId: session.id, expiresAt: renewedUntil(session.created_at, now), same: true };
};

/** No new lease for this session from now on; whoever waits with a claim of it is refused. */
export function suspect(
  tx: Transaction,
  session: { id: string; tenant_id: string; runner_id: string },
  why: { fields: string[]; reported?: JsonObject; reason?: string },
  now: number,
): void {
  const reason = why.reason ?? `changed: ${why.fields.join(", ")}`;
  tx.run("UPDATE runner_session SET state = 'suspicious', reason = ? WHERE id = ?", reason, session.id);
  appendAudit(tx, {
    tenantId: session.tenant_id,
    now,
    actor: `runner:${session.runner_id}`,
    action: "session.suspicious",
    object: `session:${session.id}`,
    body: { reason, fields: why.fields, reported: why.reported ?? {} },
  });
  openOperatorTask(tx, {
    tenantId: session.tenant_id,
    kind: "runner_drift",
    subject: session.runner_id,
    instanceId: null,
    body: { at: "heartbeat", reason, reported: why.reported ?? {} },
    now,
  });
  tx.notify("session", session.id);
}

/** An offer that never arrived goes back to the queue at once. */
function takeBack(tx: Transaction, session: Beating, leaseId: string, now: number): void {
  const lease = tx.get<{
    id: string;
    request_id: string;
    instance_id: string;
    runner_id: string;
    attempt: number;
  }>("SELECT id, request_id, instance_id, runner_id, attempt FROM lease WHERE id = ?", leaseId)!;
  tx.run("UPDATE lease SET state = 'expired', nonce = NULL, finished_at = ? WHERE id = ?", now, leaseId);
  appendAudit(tx, {
    tenantId: session.tenant_id,
    now,
    actor: "controller",
    action: "lease.lost_offer",
    object: `lease:${leaseId}`,
    body: { runnerId: lease.runner_id, attempt: lease.attempt },
  });
  const request = tx.get<{ step_id: string; reference: string; state: string }>(
    "SELECT step_id, reference, state FROM request WHERE id = ?",
    lease.request_id,
  )!;
  tx.notify("slot", session.id);
  leaveKey(tx, lease.request_id);
  if (request.state !== "leased") return;
  requeue(tx, { ...lease, ...request }, "the offer did not reach the runner", now, 0);
}

export interface StoredDirective {
  kind: string;
  leaseId?: string;
  fencingToken?: number;
  reason?: string;
}

/**
 * What a session must be told: leases to stop, whether to take no more, and whether to show what it runs with. Null for
 * one that is no longer the runner's.
 */
export const directivesOf: Query<{ sessionId: string }, StoredDirective[] | null> = (tx, { sessionId }) => {
  const session = tx.get<{ state: string; reason: string | null; audit_asked_at: number | null }>(
    "SELECT state, reason, audit_asked_at FROM runner_session WHERE id = ?",
    sessionId,
  );
  if (session === undefined || session.state === "closed") return null;
  const directives: StoredDirective[] = tx
    .all<{ id: string; fence: number; cancel_reason: string }>(
      "SELECT id, fence, cancel_reason FROM lease WHERE session_id = ? AND state IN ('leased', 'started') AND cancel_reason IS NOT NULL",
      sessionId,
    )
    .map((lease) => ({
      kind: "cancel",
      leaseId: lease.id,
      fencingToken: lease.fence,
      reason: lease.cancel_reason,
    }));
  if (session.state === "draining") {
    directives.push({ kind: "drain", reason: session.reason ?? "asked to drain" });
  }
  if (session.audit_asked_at !== null) directives.push({ kind: "audit" });
  // It is to learn of its quarantine now, by what its next message is told.
  return session.state === "quarantined" && directives.length === 0 ? null : directives;
};
