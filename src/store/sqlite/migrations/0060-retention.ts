export const sql = `
-- What may not be removed, whatever retention, pruning or compaction say: bytes by digest, or all of a run.
CREATE TABLE legal_hold (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('artifact', 'run')),
  -- A digest, or an instance.
  target TEXT NOT NULL,
  run_id TEXT,
  reason TEXT NOT NULL,
  placed_by TEXT NOT NULL,
  placed_at INTEGER NOT NULL,
  released_by TEXT,
  released_at INTEGER,
  release_reason TEXT
) STRICT;
CREATE INDEX legal_hold_standing ON legal_hold (target) WHERE released_at IS NULL;
CREATE INDEX legal_hold_of_tenant ON legal_hold (tenant_id, placed_at);

-- Bytes that nothing named any more when they were written down here, and output in the spool. A row stays until they are gone.
CREATE TABLE removal (
  kind TEXT NOT NULL CHECK (kind IN ('artifact', 'spool', 'quarantine')),
  -- A digest, a lease and its stream, or a name in the quarantine.
  target TEXT NOT NULL,
  -- When bytes were named last: those that were stored or kept later are an upload under way.
  named_at INTEGER NOT NULL,
  PRIMARY KEY (kind, target)
) STRICT, WITHOUT ROWID;

-- What runs that were pruned had handed over, and what the text of something that stays still names.
CREATE TABLE mentioned_digest (sha256 TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Uploads that were not what they were announced as; their bytes stand apart and are never served.
CREATE TABLE quarantined_upload (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  lease_id TEXT NOT NULL,
  announced TEXT NOT NULL,
  actual TEXT NOT NULL,
  size INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX quarantined_of_tenant ON quarantined_upload (tenant_id, created_at);
CREATE INDEX quarantined_expiry ON quarantined_upload (expires_at);

-- Artifacts that hold what was pruned from an audit chain.
CREATE TABLE audit_archive (
  sha256 TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  through INTEGER NOT NULL,
  PRIMARY KEY (sha256, tenant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_archive_by_digest ON history_archive (sha256);
`;
