export const sql = `
-- Secrets of a tenant. The body of a 'value' is sealed with the key beside the store, that of a 'reference' says where
-- the value stands.
CREATE TABLE secret (
  tenant_id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('value', 'reference')),
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;
`;
