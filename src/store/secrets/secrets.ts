import { fail } from "../../base/errors.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query } from "../operation.ts";

export interface SecretRow {
  name: string;
  /** `value` is sealed; a `reference` says where the value stands. */
  kind: "value" | "reference";
  created_at: number;
  updated_at: number;
}

/** More than any workflow names; a list stays a page. */
const MOST = 1000;

/** Set a secret. @returns whether the name is new @throws Failure `conflict` past the most a tenant may have */
export const putSecret: Operation<
  {
    tenantId: string;
    name: string;
    kind: SecretRow["kind"];
    /** Sealed already, or the reference. */
    body: string;
    actor: string;
    now: number;
  },
  boolean
> = (tx, { tenantId, name, kind, body, actor, now }) => {
  const changed = tx.run(
    "UPDATE secret SET kind = ?, body = ?, updated_at = ? WHERE tenant_id = ? AND name = ?",
    kind,
    body,
    now,
    tenantId,
    name,
  );
  if (changed === 0) {
    const { count } = tx.get<{ count: number }>(
      "SELECT count(*) AS count FROM secret WHERE tenant_id = ?",
      tenantId,
    )!;
    if (count >= MOST) throw fail("conflict", `there are ${MOST} secrets already`);
    tx.run(
      "INSERT INTO secret (tenant_id, name, kind, body, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
      tenantId,
      name,
      kind,
      body,
      now,
      now,
    );
  }
  appendAudit(tx, { tenantId, now, actor, action: "secret.set", object: `secret:${name}`, body: { kind } });
  return changed === 0;
};

/** @returns whether there was one */
export const removeSecret: Operation<
  { tenantId: string; name: string; actor: string; now: number },
  boolean
> = (tx, { tenantId, name, actor, now }) => {
  const removed = tx.run("DELETE FROM secret WHERE tenant_id = ? AND name = ?", tenantId, name) > 0;
  if (removed)
    appendAudit(tx, { tenantId, now, actor, action: "secret.removed", object: `secret:${name}`, body: {} });
  return removed;
};

export const listSecrets: Query<string, SecretRow[]> = (tx, tenantId) =>
  tx.all("SELECT name, kind, created_at, updated_at FROM secret WHERE tenant_id = ? ORDER BY name", tenantId);

export const hasSecret: Query<{ tenantId: string; name: string }, boolean> = (tx, { tenantId, name }) =>
  tx.get("SELECT 1 FROM secret WHERE tenant_id = ? AND name = ?", tenantId, name) !== undefined;

export const readSecret: Query<
  { tenantId: string; name: string },
  { kind: SecretRow["kind"]; body: string } | null
> = (tx, { tenantId, name }) =>
  tx.get<{ kind: SecretRow["kind"]; body: string }>(
    "SELECT kind, body FROM secret WHERE tenant_id = ? AND name = ?",
    tenantId,
    name,
  ) ?? null;
