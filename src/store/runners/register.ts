import type { JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Admission, Registration } from "../../protocol/index.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Transaction } from "../operation.ts";
import { openOperatorTask } from "../operators/operator-tasks.ts";
import { approvedFacts, factsOf, hashesOf, leftOpen, offerFor, unapproved } from "./admission.ts";
import type { RunnerOffer } from "./session.ts";

export interface RegisterInput {
  registration: Registration;
  /** Digest of the bearer token, when there was one. */
  enrolmentHash: string | null;
  /** The signature fits, and the challenge is one of this controller's and still fresh. */
  proven: boolean;
  challengeHash: string;
  sessionId: string;
  heartbeatHash: string;
  claimHash: string;
  now: number;
}

export interface Registered {
  generation: number;
  offer: RunnerOffer;
  expiresAt: number;
}

/** `unauthenticated`: nothing proves who speaks. `registration_refused`: it is proven, and is not let in. */
export interface RegistrationRefused {
  refused: "unauthenticated" | "registration_refused";
  /** For the audit alone: the runner is never told which. */
  reason: string;
  tenantId: string | null;
  runnerId: string | null;
}

interface RunnerRow {
  tenant_id: string;
  runner_id: string;
  host_id: string;
  state: string;
  admission: string;
  public_key: string | null;
  pinned: string | null;
  session_id: string | null;
  generation: number;
}

const COLUMNS = "tenant_id, runner_id, host_id, state, admission, public_key, pinned, session_id, generation";

/** Whose credential this is: the key's, or the unused token's. Both are always looked up, whatever the first brings. */
function ownerOf(tx: Transaction, input: RegisterInput): RunnerRow | undefined {
  const byKey = tx.get<RunnerRow>(
    `SELECT ${COLUMNS} FROM runner WHERE public_key = ?`,
    input.registration.publicKey,
  );
  const byToken = tx.get<RunnerRow>(
    `SELECT ${COLUMNS} FROM runner WHERE enrolment_hash = ? AND enrolment_expires_at > ?`,
    input.enrolmentHash ?? "",
    input.now,
  );
  const used = tx.get("SELECT 1 FROM runner_session WHERE challenge_hash = ?", input.challengeHash);
  return input.proven && used === undefined ? (byKey ?? byToken) : undefined;
}

/**
 * Admit a runner that an operator approved, as long as it is what was approved. A new session raises the generation and
 * closes the older one; its live leases stay the runner's. Who it is follows from its credential, never from its words.
 */
export const registerRunner: Operation<RegisterInput, Registered | RegistrationRefused> = (tx, input) => {
  const row = ownerOf(tx, input);
  if (row === undefined) {
    return { refused: "unauthenticated", reason: "no valid credential", tenantId: null, runnerId: null };
  }
  const asked = input.registration;
  const admission = JSON.parse(row.admission) as Admission;
  const isNew = row.public_key === null;
  const refuse = (reason: string): RegistrationRefused => ({
    refused: "registration_refused",
    reason,
    tenantId: row.tenant_id,
    runnerId: row.runner_id,
  });
  const ask = (kind: string, body: JsonObject) =>
    openOperatorTask(tx, {
      tenantId: row.tenant_id,
      kind,
      subject: row.runner_id,
      instanceId: null,
      body: { host_id: row.host_id, ...body },
      now: input.now,
    });
  if (asked.tenantId !== row.tenant_id) return refuse("it names another tenant");
  if (asked.runnerId !== row.runner_id) {
    ask("runner_identity", { claimed_runner_id: asked.runnerId });
    return refuse("it names another runner id");
  }
  if (asked.hostId !== row.host_id) return refuse("it names another host");
  if (row.state === "quarantined") return refuse("the runner is quarantined");
  if (isNew && shareHost(tx, row)) {
    tx.run(
      "UPDATE runner SET state = 'quarantined', reason = 'another runner of its host is quarantined' WHERE tenant_id = ? AND runner_id = ?",
      row.tenant_id,
      row.runner_id,
    );
    ask("runner_quarantined", { reason: "another runner of its host is quarantined" });
    return refuse("another runner of its host is quarantined");
  }
  const facts = factsOf(asked);
  const pinned = row.pinned === null ? facts : (JSON.parse(row.pinned) as JsonObject);
  const approved = approvedFacts(admission, pinned);
  const differing = unapproved(facts, approved);
  if (Object.keys(differing).length > 0) {
    tx.run(
      "UPDATE runner SET reported = ? WHERE tenant_id = ? AND runner_id = ?",
      JSON.stringify(differing),
      row.tenant_id,
      row.runner_id,
    );
    ask("runner_drift", { at: "registration", reported: differing });
    return refuse(`not as approved: ${Object.keys(differing).join(", ")}`);
  }
  const offer = offerFor(asked, admission, approved);
  const session = openSession(tx, input, row, admission, pinned, offer);
  const open = leftOpen(admission, facts);
  if (isNew) ask("runner_new", { public_key: asked.publicKey, pinned: open });
  appendAudit(tx, {
    tenantId: row.tenant_id,
    now: input.now,
    actor: `runner:${row.runner_id}`,
    action: isNew ? "runner.new" : "registration.accepted",
    object: `session:${input.sessionId}`,
    body: {
      generation: session.generation,
      publicKey: asked.publicKey,
      effective: offer as unknown as JsonObject,
      ...(isNew ? { pinned: open } : {}),
    },
  });
  return { ...session, offer };
};

function shareHost(tx: Transaction, row: RunnerRow): boolean {
  const other = tx.get(
    "SELECT 1 FROM runner WHERE tenant_id = ? AND host_id = ? AND state = 'quarantined'",
    row.tenant_id,
    row.host_id,
  );
  return other !== undefined;
}

function openSession(
  tx: Transaction,
  input: RegisterInput,
  row: RunnerRow,
  admission: Admission,
  pinned: JsonObject,
  offer: RunnerOffer,
): { generation: number; expiresAt: number } {
  const { now, sessionId, registration } = input;
  const generation = row.generation + 1;
  const expiresAt = now + LIMITS.credentialMs;
  const interval = admission.auditIntervalMs ?? LIMITS.auditIntervalMs;
  tx.run(
    `UPDATE runner SET generation = ?, session_id = ?, public_key = ?, enrolment_hash = NULL, enrolment_expires_at = NULL,
       pinned = ?, reported = NULL WHERE tenant_id = ? AND runner_id = ?`,
    generation,
    sessionId,
    registration.publicKey,
    JSON.stringify(pinned),
    row.tenant_id,
    row.runner_id,
  );
  if (row.session_id !== null) {
    tx.run("UPDATE runner_session SET state = 'closed' WHERE id = ?", row.session_id);
    tx.run(
      "UPDATE lease SET session_id = ? WHERE session_id = ? AND state IN ('leased', 'started')",
      sessionId,
      row.session_id,
    );
    tx.notify("session", row.session_id);
  }
  tx.run(
    `INSERT INTO runner_session (id, tenant_id, runner_id, generation, state, challenge_hash, heartbeat_hash, claim_hash,
       registration, offer, hashes, healthy, active_leases, audit_interval_ms, audit_due_at, created_at, last_seen_at, expires_at)
     VALUES (?, ?, ?, ?, 'active', ?, ?, ?, ?, ?, ?, 1, '[]', ?, ?, ?, ?, ?)`,
    sessionId,
    row.tenant_id,
    row.runner_id,
    generation,
    input.challengeHash,
    input.heartbeatHash,
    input.claimHash,
    JSON.stringify(registration),
    JSON.stringify(offer),
    hashesOf(registration),
    interval,
    now + interval,
    now,
    now,
    expiresAt,
  );
  tx.notify("session", sessionId);
  return { generation, expiresAt };
}
