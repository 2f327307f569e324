import { fail } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import type { PolicySnapshot } from "../../policy/index.ts";
import { keptOr } from "../kept.ts";
import type { Query, Transaction } from "../operation.ts";

/** The policy snapshot that an instance was started with. */
export const readPolicy: Query<string, JsonObject | null> = (tx, digest) => {
  const row = tx.get<{ body: string }>("SELECT body FROM policy_snapshot WHERE digest = ?", digest);
  return row === undefined ? null : (JSON.parse(row.body) as JsonObject);
};

/** Every published version that a snapshot was made of; version 0 is built in and cannot be revoked by number. */
function partsOf(snapshot: PolicySnapshot): { kind: string; id: string; version: number }[] {
  const kinds: Record<string, string> = {
    profile: "profile",
    service: "service-policy",
    tenant: "tenant-policy",
  };
  return [
    ...snapshot.layers.flatMap(({ kind, id, version }) =>
      version === null || kinds[kind] === undefined ? [] : [{ kind: kinds[kind], id, version }],
    ),
    ...Object.entries(snapshot.templates).map(([id, { version }]) => ({ kind: "template", id, version })),
    ...Object.entries(snapshot.pools).map(([id, { version }]) => ({ kind: "pool", id, version })),
  ];
}

/**
 * Keep the snapshot of an instance that starts in this transaction.
 * @throws Failure `execution_policy_denied` when a part of it was revoked since it was made
 */
export function keepPolicy(tx: Transaction, policy: { digest: string; body: string }, now: number): void {
  // Snapshots are never removed, so what was seen once need not be asked for again.
  const key = `policy ${policy.digest}`;
  if (
    tx.recall(key) === true ||
    tx.get("SELECT 1 FROM policy_snapshot WHERE digest = ?", policy.digest) !== undefined
  ) {
    tx.remember(key, true);
    const revoked = revocationOf(tx, policy.digest);
    if (revoked !== null) throw revokedFailure(revoked);
    return;
  }
  const parts = partsOf(JSON.parse(policy.body) as PolicySnapshot);
  for (const { kind, id, version } of parts) {
    const row = tx.get<{ state: string; reason: string | null }>(
      "SELECT state, reason FROM policy_object WHERE kind = ? AND id = ? AND version = ?",
      kind,
      id,
      version,
    );
    if (row?.state === "revoked") throw revokedFailure({ kind, id, reason: row.reason ?? "" });
  }
  tx.run(
    "INSERT INTO policy_snapshot (digest, body, created_at) VALUES (?, ?, ?)",
    policy.digest,
    policy.body,
    now,
  );
  for (const { kind, id, version } of parts) {
    tx.run(
      "INSERT INTO policy_snapshot_part (kind, id, version, policy_digest) VALUES (?, ?, ?, ?)",
      kind,
      id,
      version,
      policy.digest,
    );
  }
}

export interface Revocation {
  readonly kind: string;
  readonly id: string;
  readonly reason: string;
}

const revokedFailure = ({ kind, id, reason }: Revocation) =>
  fail("execution_policy_denied", `the ${kind} ${id} is revoked: ${reason}`, { details: { [kind]: id } });

/** The templates that a task runs by: its own, those of an agent's commands, those of its servers. */
function templatesOf(payload: JsonObject): Json[] {
  const agent = isObject(payload["agent"]) ? (payload["agent"] as JsonObject) : {};
  const members = (name: string) => (Array.isArray(agent[name]) ? (agent[name] as JsonObject[]) : []);
  return [
    payload["commandTemplateId"] ?? null,
    ...members("templates").map(({ template }) => (template as JsonObject)["id"] ?? null),
    ...members("mcpServers").map(({ commandTemplateId }) => commandTemplateId ?? null),
  ];
}

/**
 * Why nothing is given out under a snapshot any more, or null.
 * @param payload of a task: a template or a pool that it does not use does not stop it
 */
export function revocationOf(
  tx: Pick<Transaction, "all"> & Partial<Pick<Transaction, "kept">>,
  policyDigest: string,
  payload?: JsonObject,
): Revocation | null {
  const rows = keptOr(tx.kept?.policy_revocation, policyDigest, () =>
    tx.all<Revocation>(
      "SELECT kind, id, reason FROM policy_revocation WHERE policy_digest = ?",
      policyDigest,
    ),
  );
  return (
    rows.find(
      ({ kind, id }) =>
        payload === undefined ||
        (kind === "template"
          ? templatesOf(payload).includes(id)
          : kind === "pool"
            ? payload["runnerPool"] === id
            : true),
    ) ?? null
  );
}

const REVOKED = "execution_policy_denied: revoked: ";

/** What the request of a task that may not run any more says; the step fails with it. */
export const revokedDiagnostic = ({ kind, id, reason }: Revocation): string =>
  `${REVOKED}the ${kind} ${id}: ${reason}`;

export const isRevokedDiagnostic = (diagnostic: string | null): diagnostic is string =>
  diagnostic?.startsWith(REVOKED) === true;
