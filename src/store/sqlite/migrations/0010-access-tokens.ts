export const sql = `
-- Credentials of the gateway: the token itself is told once, only its digest stays. A token is never changed, only revoked.
CREATE TABLE access_token (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  roles TEXT NOT NULL,
  scopes TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
CREATE INDEX access_token_of_tenant ON access_token (tenant_id, created_at);
CREATE TRIGGER access_token_immutable BEFORE UPDATE ON access_token
  WHEN OLD.revoked_at IS NOT NULL OR NEW.hash <> OLD.hash OR NEW.scopes <> OLD.scopes OR NEW.expires_at <> OLD.expires_at
  BEGIN SELECT RAISE(ABORT, 'a token is only revoked'); END;
`;
