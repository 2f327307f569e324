export const sql = `
-- Histories that are no longer in the tables of inputs and events, but in an artifact.
CREATE TABLE history_archive (
  instance_id TEXT PRIMARY KEY REFERENCES instance (id),
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  inputs INTEGER NOT NULL,
  last_event INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
