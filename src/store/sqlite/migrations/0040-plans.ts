export const sql = `
-- Runs that their user takes step by step. Each is an instance too, so that there is one list and one space of ids;
-- the engine never advances it.
CREATE TABLE plan (
  instance_id TEXT PRIMARY KEY REFERENCES instance (id),
  request TEXT NOT NULL,
  definition TEXT NOT NULL,
  cancelled INTEGER NOT NULL
) STRICT;

-- 'submitting' stands before the request is committed, so that a crash between the two is seen.
CREATE TABLE plan_step (
  instance_id TEXT NOT NULL REFERENCES plan (instance_id),
  position INTEGER NOT NULL,
  step_id TEXT NOT NULL,
  request_id TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL CHECK (status IN ('planned', 'submitting', 'submitted', 'cancelled', 'succeeded', 'failed')),
  record TEXT NOT NULL,
  owner TEXT,
  output TEXT,
  PRIMARY KEY (instance_id, position),
  UNIQUE (instance_id, step_id)
) STRICT;

CREATE TABLE plan_trace (
  instance_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  event TEXT NOT NULL,
  step_id TEXT NOT NULL,
  path TEXT NOT NULL,
  PRIMARY KEY (instance_id, seq)
) STRICT, WITHOUT ROWID;
`;
