import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query } from "../operation.ts";
import type { RunnerOffer } from "./session.ts";

/** What an operator approved for a runner before it came. A list not named approves nothing. */
export interface Admission {
  tenantId: string;
  runnerId: string;
  hostId: string;
  runnerPools: string[];
  executionProfiles: string[];
  capabilities: string[];
  slots: number;
}

/** Approve a runner and bind its enrolment credential; approving again replaces both. */
export const enrolRunner: Operation<
  { admission: Admission; enrolmentHash: string; actor: string; now: number },
  void
> = (tx, { admission, enrolmentHash, actor, now }) => {
  tx.run(
    `INSERT INTO runner (tenant_id, runner_id, state, admission, enrolment_hash, generation, created_at)
     VALUES (?, ?, 'approved', ?, ?, 0, ?)
     ON CONFLICT (tenant_id, runner_id) DO UPDATE SET admission = excluded.admission, enrolment_hash = excluded.enrolment_hash
       WHERE runner.state = 'approved'`,
    admission.tenantId,
    admission.runnerId,
    JSON.stringify(admission),
    enrolmentHash,
    now,
  );
  appendAudit(tx, {
    tenantId: admission.tenantId,
    now,
    actor,
    action: "runner.enrolled",
    object: `runner:${admission.runnerId}`,
    body: { admission: admission as unknown as JsonObject },
  });
};

export interface RegisterInput {
  enrolmentHash: string;
  registration: JsonObject & {
    runnerId: string;
    tenantId: string;
    hostId: string;
    runnerPools: string[];
    executionProfiles: string[];
    capabilities: string[];
    sandbox: { modes: string[] };
    slots: number;
  };
  sessionId: string;
  heartbeatHash: string;
  claimHash: string;
  expiresAt: number;
  now: number;
}

export interface Registered {
  generation: number;
  effective: { runnerPools: string[]; executionProfiles: string[]; capabilities: string[] };
}

/**
 * Admit a runner that an operator approved. Effective = requested ∩ approved. A new session of the same runner raises
 * the generation and closes the older one; its live leases stay the runner's.
 * The refusal never tells which object exists.
 */
export const registerRunner: Operation<RegisterInput, Registered | { refused: string }> = (tx, input) => {
  const row = tx.get<{
    tenant_id: string;
    runner_id: string;
    state: string;
    admission: string;
    generation: number;
  }>(
    "SELECT tenant_id, runner_id, state, admission, generation FROM runner WHERE enrolment_hash = ?",
    input.enrolmentHash,
  );
  if (row === undefined) throw fail("unauthenticated");
  const admission = JSON.parse(row.admission) as Admission;
  const asked = input.registration;
  const problem =
    row.state !== "approved"
      ? `the runner is ${row.state}`
      : asked.tenantId !== row.tenant_id
        ? "another tenant"
        : asked.runnerId !== row.runner_id
          ? "another runner id"
          : asked.hostId !== admission.hostId
            ? "another host"
            : null;
  const audit = (action: string, body: JsonObject) =>
    appendAudit(tx, {
      tenantId: row.tenant_id,
      now: input.now,
      actor: `runner:${row.runner_id}`,
      action,
      object: `session:${input.sessionId}`,
      body,
    });
  if (problem !== null) {
    audit("registration.refused", { reason: problem });
    return { refused: problem };
  }
  const both = (requested: string[], approved: string[]) =>
    requested.filter((name) => approved.includes(name));
  const effective = {
    runnerPools: both(asked.runnerPools, admission.runnerPools),
    executionProfiles: both(asked.executionProfiles, admission.executionProfiles),
    capabilities: both(asked.capabilities, admission.capabilities),
  };
  const offer: RunnerOffer = {
    ...effective,
    hostId: asked.hostId,
    sandboxModes: asked.sandbox.modes,
    slots: Math.min(asked.slots, admission.slots),
  };
  const generation = row.generation + 1;
  tx.run(
    "UPDATE runner SET generation = ? WHERE tenant_id = ? AND runner_id = ?",
    generation,
    row.tenant_id,
    row.runner_id,
  );
  const closed = tx.all<{ id: string }>(
    "UPDATE runner_session SET state = 'closed' WHERE tenant_id = ? AND runner_id = ? AND state <> 'closed' RETURNING id",
    row.tenant_id,
    row.runner_id,
  );
  tx.run(
    `INSERT INTO runner_session (id, tenant_id, runner_id, generation, state, heartbeat_hash, claim_hash, registration, offer,
       healthy, active_leases, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, ?, 'active', ?, ?, ?, ?, 1, '[]', ?, ?, ?)`,
    input.sessionId,
    row.tenant_id,
    row.runner_id,
    generation,
    input.heartbeatHash,
    input.claimHash,
    JSON.stringify(asked),
    JSON.stringify(offer),
    input.now,
    input.now,
    input.expiresAt,
  );
  for (const old of closed) {
    tx.run(
      "UPDATE lease SET session_id = ? WHERE session_id = ? AND state IN ('leased', 'started')",
      input.sessionId,
      old.id,
    );
    tx.notify("session", old.id);
  }
  audit("registration.accepted", { generation, effective });
  tx.notify("session", input.sessionId);
  return { generation, effective };
};

export interface RunnerView {
  tenant_id: string;
  runner_id: string;
  state: string;
  session: null | {
    id: string;
    generation: number;
    state: string;
    last_seen_at: number;
    registration: JsonObject;
    effective: JsonObject;
    active_leases: number;
  };
}

export const listRunners: Query<{ tenantId: string }, RunnerView[]> = (tx, { tenantId }) =>
  tx
    .all<{
      tenant_id: string;
      runner_id: string;
      state: string;
      id: string | null;
      generation: number;
      session_state: string;
      last_seen_at: number;
      registration: string;
      offer: string;
      active: number;
    }>(
      `SELECT runner.tenant_id, runner.runner_id, runner.state, session.id, session.generation, session.state AS session_state,
              session.last_seen_at, session.registration, session.offer,
              (SELECT count(*) FROM lease WHERE lease.session_id = session.id AND lease.state IN ('leased', 'started')) AS active
       FROM runner LEFT JOIN runner_session AS session
         ON session.tenant_id = runner.tenant_id AND session.runner_id = runner.runner_id AND session.state <> 'closed'
       WHERE runner.tenant_id = ? ORDER BY runner.runner_id`,
      tenantId,
    )
    .map((row) => ({
      tenant_id: row.tenant_id,
      runner_id: row.runner_id,
      state: row.state,
      session:
        row.id === null
          ? null
          : {
              id: row.id,
              generation: row.generation,
              state: row.session_state,
              last_seen_at: row.last_seen_at,
              registration: JSON.parse(row.registration) as JsonObject,
              effective: JSON.parse(row.offer) as JsonObject,
              active_leases: row.active,
            },
    }));
