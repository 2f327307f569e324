import { digestOf } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query, Transaction } from "../operation.ts";

const POLICY_KINDS = ["profile", "template", "pool", "tenant", "service-policy", "tenant-policy"] as const;
export type PolicyKind = (typeof POLICY_KINDS)[number];

export interface PolicyObject {
  readonly kind: PolicyKind;
  readonly id: string;
  readonly version: number;
  readonly digest: string;
  readonly body: JsonObject;
  readonly state: "active" | "revoked";
  readonly published_by: string;
  readonly published_at: number;
  readonly revoked_by: string | null;
  readonly revoked_at: number | null;
  readonly reason: string | null;
}

type Row = Omit<PolicyObject, "body"> & { body: string };

const COLUMNS =
  "kind, id, version, digest, body, state, published_by, published_at, revoked_by, revoked_at, reason";
const parse = (row: Row): PolicyObject => ({ ...row, body: JSON.parse(row.body) as JsonObject });

const GENERATION = "policy-generation";

/** Grows with everything that is published or revoked: what was computed at one of them holds until the next. */
export const policyGeneration: Query<null, number> = (tx) =>
  Number(tx.get<{ value: string }>("SELECT value FROM setting WHERE key = ?", GENERATION)?.value ?? 0);

export function nextGeneration(tx: Transaction): void {
  tx.run(
    "INSERT INTO setting (key, value) VALUES (?, '1') ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
    GENERATION,
  );
}

/** One version, or the newest; null when there is none. */
export const readPolicyObject: Query<
  { kind: PolicyKind; id: string; version?: number },
  PolicyObject | null
> = (tx, { kind, id, version }) => {
  const row =
    version === undefined
      ? tx.get<Row>(
          `SELECT ${COLUMNS} FROM policy_object WHERE kind = ? AND id = ? ORDER BY version DESC LIMIT 1`,
          kind,
          id,
        )
      : tx.get<Row>(
          `SELECT ${COLUMNS} FROM policy_object WHERE kind = ? AND id = ? AND version = ?`,
          kind,
          id,
          version,
        );
  return row === undefined ? null : parse(row);
};

/** The newest version of each, or every version. */
export const listPolicyObjects: Query<{ kind: PolicyKind; all: boolean }, PolicyObject[]> = (
  tx,
  { kind, all },
) =>
  tx
    .all<Row>(
      `SELECT ${COLUMNS} FROM policy_object AS one WHERE kind = ?
         AND (? OR version = (SELECT max(version) FROM policy_object WHERE kind = one.kind AND id = one.id))
       ORDER BY id, version`,
      kind,
      all ? 1 : 0,
    )
    .map(parse);

/** What the queue reads of a tenant. */
function share(tx: Transaction, tenantId: string, weight: Json | undefined): void {
  tx.run("DELETE FROM tenant_share WHERE tenant_id = ?", tenantId);
  if (typeof weight === "number") {
    tx.run("INSERT INTO tenant_share (tenant_id, weight) VALUES (?, ?)", tenantId, weight);
  }
}

export interface PublishInput {
  kind: PolicyKind;
  id: string;
  body: JsonObject;
  actor: string;
  /** Whose audit chain tells of it. */
  tenantId: string;
  now: number;
}

/** Publish a new version. The same content as the newest one, while that holds, is answered with it. */
export const publishPolicyObject: Operation<
  PublishInput,
  { version: number; digest: string; created: boolean }
> = (tx, { kind, id, body, actor, tenantId, now }) => {
  const digest = digestOf(body);
  const newest = tx.get<{ version: number; digest: string; state: string }>(
    "SELECT version, digest, state FROM policy_object WHERE kind = ? AND id = ? ORDER BY version DESC LIMIT 1",
    kind,
    id,
  );
  if (newest !== undefined && newest.digest === digest && newest.state === "active") {
    return { version: newest.version, digest, created: false };
  }
  const version = (newest?.version ?? 0) + 1;
  if (!Number.isSafeInteger(version)) throw fail("conflict", `${kind} ${id} has too many versions`);
  tx.run(
    `INSERT INTO policy_object (kind, id, version, digest, body, state, published_by, published_at)
     VALUES (?, ?, ?, ?, ?, 'active', ?, ?)`,
    kind,
    id,
    version,
    digest,
    JSON.stringify(body),
    actor,
    now,
  );
  if (kind === "tenant") share(tx, id, body["weight"]);
  nextGeneration(tx);
  appendAudit(tx, {
    tenantId,
    now,
    actor,
    action: `${kind}.published`,
    object: `${kind}:${id}@${version}`,
    body: { digest, previousDigest: newest?.digest ?? null },
  });
  tx.notify("policy", `${kind}:${id}`);
  return { version, digest, created: true };
};
