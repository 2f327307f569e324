export const sql = `
-- How a run was asked for beyond its inputs; null for a plain start.
ALTER TABLE instance ADD COLUMN options TEXT;

-- Outputs of steps by what they depend on.
CREATE TABLE step_cache (
  id INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  key TEXT NOT NULL,
  workflow TEXT NOT NULL,
  reference TEXT NOT NULL,
  components TEXT NOT NULL,
  output TEXT NOT NULL,
  -- Whether the output is a runner's record of what it executed.
  record INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  UNIQUE (tenant_id, key)
) STRICT;
CREATE INDEX step_cache_of_step ON step_cache (tenant_id, workflow, reference, id);
CREATE INDEX step_cache_used ON step_cache (used_at);

-- What became of the look-up of each step that may be cached, and of each that was taken over from another run.
CREATE TABLE step_use (
  instance_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  step_id TEXT NOT NULL,
  reference TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('hit', 'miss', 'reused')),
  reason TEXT,
  key TEXT NOT NULL,
  components TEXT NOT NULL,
  origin_run TEXT,
  artifacts TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (instance_id, effect_id)
) STRICT, WITHOUT ROWID;

-- Outputs that a run takes over from the run that it tries again.
CREATE TABLE reuse (
  instance_id TEXT NOT NULL,
  reference TEXT NOT NULL,
  output TEXT NOT NULL,
  record INTEGER NOT NULL,
  origin_run TEXT NOT NULL,
  PRIMARY KEY (instance_id, reference)
) STRICT;
`;
