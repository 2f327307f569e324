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
  PRIMARY KEY (tenant_id, sha256)
) STRICT;
`;
