export const sql = `
CREATE TABLE rating (
  id INTEGER PRIMARY KEY,
  instance_id TEXT NOT NULL REFERENCES instance (id),
  step_id TEXT NOT NULL,
  score REAL NOT NULL,
  note TEXT,
  actor TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX rating_of_run ON rating (instance_id);

-- Jobs from one file. What became of a job is what became of its run.
CREATE TABLE batch (
  tenant_id TEXT NOT NULL,
  batch_id TEXT NOT NULL,
  concurrency INTEGER NOT NULL,
  jobs INTEGER NOT NULL,
  root TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, batch_id)
) STRICT;
CREATE TABLE batch_job (
  tenant_id TEXT NOT NULL,
  batch_id TEXT NOT NULL,
  line INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  job TEXT NOT NULL,
  refused TEXT,
  PRIMARY KEY (tenant_id, batch_id, line)
) STRICT;
`;
