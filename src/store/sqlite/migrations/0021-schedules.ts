export const sql = `
-- What starts by itself: one row for each workflow name, of its highest published version.
CREATE TABLE schedule (
  tenant_id TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL REFERENCES definition (digest),
  kind TEXT NOT NULL CHECK (kind IN ('cron', 'every', 'after', 'on')),
  spec TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'paused')),
  next_at INTEGER,
  -- 'after': the instance whose end is waited for. 'on': the run that listens.
  running TEXT,
  last_due INTEGER,
  last_run TEXT,
  diagnostic TEXT,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, namespace, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_due ON schedule (next_at) WHERE state = 'active' AND next_at IS NOT NULL;
CREATE INDEX schedule_running ON schedule (running) WHERE kind = 'after' AND running IS NOT NULL;
`;
