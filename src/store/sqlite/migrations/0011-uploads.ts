export const sql = `
-- Bytes that a caller handed in: whose they are, and how they are to be served. What runs handed over stands in artifact.
CREATE TABLE upload (
  tenant_id TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  media_type TEXT NOT NULL,
  name TEXT,
  uploaded_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- When it was handed in last.
  noted_at INTEGER NOT NULL,
  expires_at INTEGER,
  expired_at INTEGER,
  PRIMARY KEY (tenant_id, sha256)
) STRICT;
CREATE INDEX upload_by_digest ON upload (sha256);
CREATE INDEX upload_of_tenant ON upload (tenant_id, created_at);
CREATE INDEX upload_expiry ON upload (expires_at) WHERE expires_at IS NOT NULL AND expired_at IS NULL;
`;
