export const sql = `
-- What a person is asked to agree to before a task is done. What is bound never changes; an approval counts once.
CREATE TABLE approval (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  workflow TEXT NOT NULL,
  step_id TEXT NOT NULL,
  reference TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('run', 'call')),
  state TEXT NOT NULL CHECK (state IN ('requested', 'approved', 'consumed', 'rejected', 'expired', 'invalid', 'withdrawn')),
  requester TEXT NOT NULL,
  -- What the approval is about, as canonical JSON, and its digest.
  binding TEXT NOT NULL,
  digest TEXT NOT NULL,
  -- Who may approve, and the versions of policy that held when it was asked.
  rule TEXT NOT NULL,
  -- What is done once it is approved: a queued request, or the effect of a call.
  work TEXT NOT NULL,
  queue_ms INTEGER NOT NULL,
  decided_by TEXT,
  decided_at INTEGER,
  note TEXT,
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX approval_open ON approval (instance_id, effect_id) WHERE state = 'requested';
CREATE INDEX approval_expiry ON approval (expires_at) WHERE state = 'requested';
CREATE INDEX approval_of_tenant ON approval (tenant_id, id);
CREATE INDEX approval_given ON approval (tenant_id, workflow, step_id, decided_at) WHERE state IN ('approved', 'consumed');
CREATE TRIGGER approval_binds BEFORE UPDATE OF binding, digest, rule, work, requester, instance_id, effect_id ON approval
  BEGIN SELECT RAISE(ABORT, 'what an approval binds is immutable'); END;
CREATE TRIGGER approval_counts_once BEFORE UPDATE OF state ON approval
  WHEN NOT (OLD.state = 'requested' OR (OLD.state = 'approved' AND NEW.state IN ('consumed', 'expired', 'withdrawn')))
  BEGIN SELECT RAISE(ABORT, 'an approval is decided once and used once'); END;
CREATE TRIGGER approval_expires_when_it_says BEFORE UPDATE OF expires_at ON approval WHEN NEW.expires_at > OLD.expires_at
  BEGIN SELECT RAISE(ABORT, 'an approval is never prolonged'); END;

-- Artifacts that stay as long as the run that asked about them: an attempt may still read them, and the audit names them.
CREATE TABLE approval_artifact (
  sha256 TEXT NOT NULL,
  approval_id TEXT NOT NULL,
  PRIMARY KEY (sha256, approval_id)
) STRICT, WITHOUT ROWID;
`;
