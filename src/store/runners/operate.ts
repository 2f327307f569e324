import { canonicalJson } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Admission } from "../../protocol/index.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Transaction } from "../operation.ts";
import { resolveOperatorTasks } from "../operators/operator-tasks.ts";
import { drain } from "./drain.ts";
import { quarantine } from "./quarantine.ts";

export interface Operate {
  tenantId: string;
  runnerId: string;
  actor: string;
  now: number;
}

interface Row {
  state: string;
  admission: string;
  pinned: string | null;
  reported: string | null;
  approved_snapshot: string | null;
  seen_snapshot: string | null;
  session_id: string | null;
}

function runnerOf(tx: Transaction, { tenantId, runnerId }: Operate): Row {
  const row = tx.get<Row>(
    "SELECT state, admission, pinned, reported, approved_snapshot, seen_snapshot, session_id FROM runner WHERE tenant_id = ? AND runner_id = ?",
    tenantId,
    runnerId,
  );
  if (row === undefined) throw fail("not_found", `there is no runner ${runnerId}`);
  return row;
}

interface Session {
  id: string;
  tenant_id: string;
  state: string;
  hashes: string;
}

const sessionOf = (tx: Transaction, row: Row): Session | undefined =>
  tx.get<Session>(
    "SELECT id, tenant_id, state, hashes FROM runner_session WHERE id = ? AND state <> 'closed'",
    row.session_id,
  );

const settle = (
  tx: Transaction,
  { tenantId, runnerId, actor, now }: Operate,
  kinds: string[],
  how: string,
) => {
  for (const kind of kinds) {
    resolveOperatorTasks(tx, { tenantId, kind, subject: runnerId, resolution: `${how} by ${actor}`, now });
  }
};

/**
 * What the runner reported and what its last snapshot showed is what is approved from now on; a suspicious session is
 * active again. @throws Failure `runner_quarantined`: release it first, with its facts looked at
 */
export const approveRunner: Operation<Operate, { approved: JsonObject }> = (tx, input) => {
  const row = runnerOf(tx, input);
  if (row.state === "quarantined") {
    throw fail("runner_quarantined", undefined, { hint: `lightflow runners release ${input.runnerId}` });
  }
  const reported = row.reported === null ? {} : (JSON.parse(row.reported) as JsonObject);
  const admission = JSON.parse(row.admission) as JsonObject;
  // Where the operator had named a value, the new one takes its place there; else among the pinned ones.
  const said = Object.fromEntries(Object.entries(reported).filter(([name]) => name in admission));
  const pinned = row.pinned === null ? null : { ...(JSON.parse(row.pinned) as JsonObject), ...reported };
  tx.run(
    "UPDATE runner SET admission = ?, pinned = ?, reported = NULL, approved_snapshot = coalesce(seen_snapshot, approved_snapshot) WHERE tenant_id = ? AND runner_id = ?",
    JSON.stringify(withoutNull({ ...admission, ...said }) as unknown as Admission),
    pinned === null ? null : JSON.stringify(pinned),
    input.tenantId,
    input.runnerId,
  );
  const session = sessionOf(tx, row);
  if (session?.state === "suspicious") {
    const hashes = withoutNull({ ...(JSON.parse(session.hashes) as JsonObject), ...reported });
    tx.run(
      "UPDATE runner_session SET state = 'active', reason = NULL, hashes = ? WHERE id = ?",
      canonicalJson(hashes),
      session.id,
    );
    tx.notify("session", session.id);
  }
  appendAudit(tx, {
    tenantId: input.tenantId,
    now: input.now,
    actor: input.actor,
    action: "runner.approved",
    object: `runner:${input.runnerId}`,
    body: { reported },
  });
  settle(tx, input, ["runner_new", "runner_drift", "runner_identity"], "approved");
  return { approved: reported };
};

const withoutNull = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));

/** Take a runner out by hand. @returns false when it was already */
export const quarantineRunner: Operation<Operate & { reason: string }, boolean> = (tx, input) => {
  runnerOf(tx, input);
  return quarantine(tx, { ...input, facts: {} });
};

/**
 * End a quarantine. The runner proves its key again and is compared again; what differed is refused again unless it is
 * approved too. @returns false when it was not quarantined
 */
export const releaseRunner: Operation<Operate, boolean> = (tx, input) => {
  const row = runnerOf(tx, input);
  if (row.state !== "quarantined") return false;
  tx.run(
    "UPDATE runner SET state = 'approved', reason = NULL WHERE tenant_id = ? AND runner_id = ?",
    input.tenantId,
    input.runnerId,
  );
  if (row.session_id !== null) {
    tx.run("UPDATE runner_session SET state = 'closed' WHERE id = ?", row.session_id);
    tx.notify("session", row.session_id);
  }
  appendAudit(tx, {
    tenantId: input.tenantId,
    now: input.now,
    actor: input.actor,
    action: "runner.released",
    object: `runner:${input.runnerId}`,
    body: {},
  });
  settle(tx, input, ["runner_quarantined"], "released");
  return true;
};

/** Ask a runner to take no more. @throws Failure `conflict` when it has no session that could be asked */
export const drainRunner: Operation<Operate & { reason: string }, { state: string }> = (tx, input) => {
  const session = sessionOf(tx, runnerOf(tx, input));
  if (session === undefined) throw fail("conflict", `runner ${input.runnerId} is not connected`);
  drain(tx, session, input.reason, input.actor, input.now);
  return { state: session.state === "active" ? "draining" : session.state };
};

/** Ask a runner for a snapshot now. @throws Failure `conflict` */
export const auditRunner: Operation<Operate, void> = (tx, input) => {
  const session = sessionOf(tx, runnerOf(tx, input));
  if (session === undefined || session.state === "quarantined") {
    throw fail("conflict", `runner ${input.runnerId} is not connected`);
  }
  appendAudit(tx, {
    tenantId: input.tenantId,
    now: input.now,
    actor: input.actor,
    action: "runner.audit_requested",
    object: `runner:${input.runnerId}`,
    body: {},
  });
  // Asked here and not by the next round of the controller, so that a held heartbeat brings it at once.
  tx.run(
    "UPDATE runner_session SET audit_asked_at = ?, audit_due_at = ? WHERE id = ?",
    input.now,
    input.now + LIMITS.auditAnswerMs,
    session.id,
  );
  tx.notify("session", session.id);
};
