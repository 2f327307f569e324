import { fail } from "../../base/errors.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, SqlValue, Transaction } from "../operation.ts";
import { nextGeneration, type PolicyKind } from "./objects.ts";
import { revokedDiagnostic } from "./snapshots.ts";

export interface RevokeInput {
  kind: PolicyKind;
  id: string;
  /** Null for every version. */
  version: number | null;
  reason: string;
  actor: string;
  /** Whose audit chain tells of it. */
  tenantId: string;
  now: number;
}

export interface Revoked {
  versions: number[];
  /** Requests that waited, and attempts that ran, under what was revoked. */
  requests: number;
  leases: number;
}

/** Long after the orchestrator has failed the step: no claim finds the request before. */
const ASIDE_MS = 7 * 24 * 3_600_000;

interface Live {
  id: string;
  tenant_id: string;
  instance_id: string;
  state: string;
  policy_digest: string;
}

/**
 * Take back what was published, at once: nothing starts under it, what waits in the queue fails, and what runs is told
 * to stop and can no longer change its run. An older version does not take its place.
 */
export const revokePolicyObject: Operation<RevokeInput, Revoked> = (tx, input) => {
  const { kind, id, version, reason, actor, now } = input;
  const found = tx.all<{ version: number; state: string }>(
    "SELECT version, state FROM policy_object WHERE kind = ? AND id = ? AND (? IS NULL OR version = ?)",
    kind,
    id,
    version,
    version,
  );
  if (found.length === 0)
    throw fail("not_found", `there is no ${kind} ${id}${version === null ? "" : `@${version}`}`);
  const versions = found.filter(({ state }) => state === "active").map((row) => row.version);
  if (versions.length === 0) return { versions, requests: 0, leases: 0 };
  for (const each of versions) {
    tx.run(
      "UPDATE policy_object SET state = 'revoked', revoked_by = ?, revoked_at = ?, reason = ? WHERE kind = ? AND id = ? AND version = ?",
      actor,
      now,
      reason,
      kind,
      id,
      each,
    );
  }
  nextGeneration(tx);
  const affected = kind === "tenant" ? ofTenant(tx, id) : ofSnapshots(tx, input, versions);
  const stopped = stop(tx, affected, input);
  appendAudit(tx, {
    tenantId: input.tenantId,
    now,
    actor,
    action: `${kind}.revoked`,
    object: `${kind}:${id}`,
    body: { versions, reason, requests: stopped.requests, leases: stopped.leases },
  });
  tx.notify("policy", `${kind}:${id}`);
  return { versions, ...stopped };
};

const REQUEST = "request.id, request.tenant_id, request.instance_id, request.state, request.policy_digest";

/**
 * What waits and what runs, and nothing of what has ended: each by the index of its state, since the table holds every
 * task there ever was. A task whose result is on its way has done its work, and what follows it is refused.
 */
function liveRequests(tx: Transaction, condition: string, values: readonly SqlValue[]): Live[] {
  return tx.all<Live>(
    `SELECT ${REQUEST} FROM request INDEXED BY request_pending WHERE state = 'pending' AND ${condition}
     UNION ALL SELECT ${REQUEST} FROM request INDEXED BY request_parked WHERE state = 'parked' AND ${condition}
     UNION ALL SELECT ${REQUEST} FROM lease CROSS JOIN request ON request.id = lease.request_id
       WHERE lease.state IN ('leased', 'started') AND request.state = 'leased' AND ${condition}`,
    ...values,
    ...values,
    ...values,
  );
}

/** Whether a task uses a part of its snapshot; of any other kind every task does. */
const USES: Partial<Record<PolicyKind, { condition: string; times: number }>> = {
  pool: { condition: "json_extract(payload, '$.runnerPool') = ?", times: 1 },
  template: {
    condition: `(json_extract(payload, '$.commandTemplateId') = ?
      OR EXISTS (SELECT 1 FROM json_each(payload, '$.agent.templates') AS each WHERE json_extract(each.value, '$.template.id') = ?)
      OR EXISTS (SELECT 1 FROM json_each(payload, '$.agent.mcpServers') AS each WHERE json_extract(each.value, '$.commandTemplateId') = ?))`,
    times: 3,
  },
};

const ofTenant = (tx: Transaction, tenantId: string): Live[] =>
  liveRequests(tx, "request.tenant_id = ?", [tenantId]);

function ofSnapshots(
  tx: Transaction,
  { kind, id, reason }: RevokeInput,
  versions: readonly number[],
): Live[] {
  const digests = versions.flatMap((version) =>
    tx
      .all<{ policy_digest: string }>(
        "SELECT policy_digest FROM policy_snapshot_part WHERE kind = ? AND id = ? AND version = ?",
        kind,
        id,
        version,
      )
      .map((row) => row.policy_digest),
  );
  for (const digest of digests) {
    tx.run(
      "INSERT INTO policy_revocation (policy_digest, kind, id, reason) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      digest,
      kind,
      id,
      reason,
    );
  }
  const used = USES[kind];
  return liveRequests(
    tx,
    `request.policy_digest IN (SELECT value FROM json_each(?)) AND ${used?.condition ?? "TRUE"}`,
    [JSON.stringify([...new Set(digests)]), ...(used === undefined ? [] : Array(used.times).fill(id))],
  );
}

/** What waits and what runs ends; the orchestrator then fails the steps, with the reason. */
function stop(
  tx: Transaction,
  affected: readonly Live[],
  input: RevokeInput,
): { requests: number; leases: number } {
  const { kind, id, reason, actor, now } = input;
  const diagnostic = revokedDiagnostic({ kind, id, reason });
  let leases = 0;
  for (const request of affected) {
    // Out of the state in which a result could be accepted, and due to be given up.
    tx.run(
      "UPDATE request SET state = 'pending', not_before = ?, expires_at = ?, diagnostic = ? WHERE id = ?",
      now + ASIDE_MS,
      now,
      diagnostic,
      request.id,
    );
    tx.notify("request", request.id);
    if (request.state !== "leased") continue;
    const live = tx.all<{ id: string; session_id: string; runner_id: string; attempt: number }>(
      `UPDATE lease SET cancel_reason = ?, nonce = NULL WHERE request_id = ? AND state IN ('leased', 'started')
       RETURNING id, session_id, runner_id, attempt`,
      `the ${kind} ${id} is revoked: ${reason}`,
      request.id,
    );
    for (const lease of live) {
      leases++;
      tx.notify("session", lease.session_id);
      appendAudit(tx, {
        tenantId: request.tenant_id,
        now,
        actor,
        action: "lease.revoked",
        object: `lease:${lease.id}`,
        body: {
          runnerId: lease.runner_id,
          instanceId: request.instance_id,
          attempt: lease.attempt,
          policyDigest: request.policy_digest,
          reason: diagnostic,
        },
      });
    }
  }
  return { requests: affected.length, leases };
}
