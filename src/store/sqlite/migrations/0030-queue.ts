export const sql = `
-- Which check keeps the tasks of a partition from a session: the first one that fails.
CREATE TABLE denial (
  requirement INTEGER NOT NULL REFERENCES requirement (id),
  session_id TEXT NOT NULL,
  runner_id TEXT NOT NULL,
  check_number INTEGER NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  noted_at INTEGER NOT NULL,
  PRIMARY KEY (requirement, session_id)
) STRICT, WITHOUT ROWID;

-- Which tasks are in the queue or with a runner under a key that only so many may hold.
CREATE TABLE concurrency_hold (
  tenant_id TEXT NOT NULL,
  key TEXT NOT NULL,
  request_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, key, request_id)
) STRICT, WITHOUT ROWID;

-- How much of a busy controller a tenant gets beside the others; 1 where nothing is said.
CREATE TABLE tenant_share (
  tenant_id TEXT PRIMARY KEY,
  weight INTEGER NOT NULL CHECK (weight BETWEEN 1 AND 1000)
) STRICT, WITHOUT ROWID;
`;
