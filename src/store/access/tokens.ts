import { fail } from "../../base/errors.ts";
import { appendAudit } from "../audit/append.ts";
import type { Operation, Query } from "../operation.ts";

export interface AccessToken {
  id: string;
  tenant_id: string;
  subject: string;
  roles: string[];
  scopes: string[];
  created_by: string;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
}

type Row = Omit<AccessToken, "roles" | "scopes"> & { roles: string; scopes: string; hash: string };

const COLUMNS = "id, tenant_id, subject, roles, scopes, hash, created_by, created_at, expires_at, revoked_at";

function tokenOf({ hash: _, ...row }: Row): AccessToken {
  return {
    ...row,
    roles: JSON.parse(row.roles) as string[],
    scopes: JSON.parse(row.scopes) as string[],
  };
}

/** Keep a credential by the digest of its secret. */
export const createAccessToken: Operation<Omit<AccessToken, "revoked_at"> & { hash: string }, void> = (
  tx,
  token,
) => {
  tx.run(
    `INSERT INTO access_token (id, tenant_id, subject, roles, scopes, hash, created_by, created_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    token.id,
    token.tenant_id,
    token.subject,
    JSON.stringify(token.roles),
    JSON.stringify(token.scopes),
    token.hash,
    token.created_by,
    token.created_at,
    token.expires_at,
  );
  appendAudit(tx, {
    tenantId: token.tenant_id,
    now: token.created_at,
    actor: token.created_by,
    action: "token.created",
    object: `token:${token.id}`,
    body: {
      subject: token.subject,
      roles: token.roles,
      scopes: token.scopes,
      expires_at: token.expires_at,
    },
  });
};

/** Take a credential back; again changes nothing. @throws Failure `not_found` */
export const revokeAccessToken: Operation<
  { tenantId: string; id: string; actor: string; now: number },
  AccessToken
> = (tx, { tenantId, id, actor, now }) => {
  const row = tx.get<Row>(`SELECT ${COLUMNS} FROM access_token WHERE id = ? AND tenant_id = ?`, id, tenantId);
  if (row === undefined) throw fail("not_found", `not found: token ${id}`);
  if (row.revoked_at !== null) return tokenOf(row);
  tx.run("UPDATE access_token SET revoked_at = ? WHERE id = ?", now, id);
  appendAudit(tx, { tenantId, now, actor, action: "token.revoked", object: `token:${id}`, body: {} });
  return { ...tokenOf(row), revoked_at: now };
};

export const listAccessTokens: Query<{ tenantId: string }, AccessToken[]> = (tx, { tenantId }) =>
  tx
    .all<Row>(`SELECT ${COLUMNS} FROM access_token WHERE tenant_id = ? ORDER BY created_at, id`, tenantId)
    .map(tokenOf);

/** A credential with the digest of its secret, whatever its state. */
export const findAccessToken: Query<string, { token: AccessToken; hash: string } | null> = (tx, id) => {
  const row = tx.get<Row>(`SELECT ${COLUMNS} FROM access_token WHERE id = ?`, id);
  return row === undefined ? null : { token: tokenOf(row), hash: row.hash };
};

/** Whether anybody could authenticate. */
export const hasAccessToken: Query<{ now: number }, boolean> = (tx, { now }) =>
  tx.get("SELECT 1 FROM access_token WHERE revoked_at IS NULL AND expires_at > ? LIMIT 1", now) !== undefined;
