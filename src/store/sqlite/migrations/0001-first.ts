export const sql = `
CREATE TABLE definition (
  digest TEXT PRIMARY KEY,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  asset_id TEXT,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER definition_immutable BEFORE UPDATE ON definition BEGIN SELECT RAISE(ABORT, 'a definition is immutable'); END;

CREATE TABLE policy_snapshot (
  digest TEXT PRIMARY KEY,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER policy_snapshot_immutable BEFORE UPDATE ON policy_snapshot BEGIN SELECT RAISE(ABORT, 'a policy snapshot is immutable'); END;

CREATE TABLE instance (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  definition_digest TEXT NOT NULL REFERENCES definition (digest),
  policy_digest TEXT NOT NULL REFERENCES policy_snapshot (digest),
  source_event_id TEXT,
  request_digest TEXT NOT NULL,
  workflow TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'waiting', 'suspended', 'cancelled', 'faulted', 'completed')),
  version INTEGER NOT NULL,
  input_seq INTEGER NOT NULL,
  snapshot TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  finished_at INTEGER,
  UNIQUE (tenant_id, run_id)
) STRICT;
CREATE UNIQUE INDEX instance_source_event ON instance (tenant_id, source_event_id, definition_digest) WHERE source_event_id IS NOT NULL;

CREATE TABLE instance_input (
  instance_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  engine_version INTEGER NOT NULL,
  PRIMARY KEY (instance_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER instance_input_append_only BEFORE UPDATE ON instance_input BEGIN SELECT RAISE(ABORT, 'inputs are append-only'); END;

-- The lines that one transition wrote, as one row: their positions run up to last_seq without gaps.
CREATE TABLE event (
  instance_id TEXT NOT NULL,
  last_seq INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  lines TEXT NOT NULL,
  PRIMARY KEY (instance_id, last_seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER event_append_only BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TABLE timer (
  instance_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('timer', 'continue')),
  due_at INTEGER NOT NULL,
  PRIMARY KEY (instance_id, effect_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due_at);

CREATE TABLE requirement (
  id INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  body TEXT NOT NULL,
  -- The only runner that may have its tasks: the one that holds their session.
  runner_id TEXT,
  UNIQUE (tenant_id, body)
) STRICT;
CREATE INDEX requirement_of_runner ON requirement (runner_id) WHERE runner_id IS NOT NULL;

CREATE TABLE request (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  instance_id TEXT NOT NULL REFERENCES instance (id),
  effect_id TEXT NOT NULL,
  step_id TEXT NOT NULL,
  reference TEXT NOT NULL,
  requirement INTEGER NOT NULL REFERENCES requirement (id),
  policy_digest TEXT NOT NULL,
  payload TEXT NOT NULL,
  -- The command template of the payload, for the result to name.
  template TEXT,
  -- The approval that it was queued under.
  approval TEXT,
  -- How long policy keeps what it hands over, in milliseconds: {"artifactMs", "logMs"}; null for as long as the run.
  retention TEXT,
  repeatable INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'parked', 'leased', 'satisfied', 'cancelled', 'unknown')),
  -- What only so many tasks may hold at a time, as a list of keys and limits; and the key that a parked task waits for.
  concurrency TEXT,
  concurrency_key TEXT,
  attempts INTEGER NOT NULL,
  accepted_attempt INTEGER,
  not_before INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  diagnostic TEXT,
  UNIQUE (instance_id, effect_id)
) STRICT;
CREATE INDEX request_pending ON request (requirement, priority DESC, created_at, id) WHERE state = 'pending';
CREATE INDEX request_expiry ON request (expires_at) WHERE state IN ('pending', 'parked');
CREATE INDEX request_parked ON request (tenant_id, concurrency_key, priority DESC, created_at, id) WHERE state = 'parked';
CREATE INDEX request_postponed ON request (not_before) WHERE state = 'pending' AND attempts > 0;
CREATE TRIGGER request_accepted_once BEFORE UPDATE OF accepted_attempt ON request
  WHEN OLD.accepted_attempt IS NOT NULL AND OLD.accepted_attempt IS NOT NEW.accepted_attempt
  BEGIN SELECT RAISE(ABORT, 'an attempt was already accepted'); END;

CREATE TABLE workspace (
  instance_id TEXT NOT NULL,
  key TEXT NOT NULL,
  runner_id TEXT NOT NULL,
  PRIMARY KEY (instance_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
  id TEXT PRIMARY KEY,
  request_id TEXT NOT NULL REFERENCES request (id),
  instance_id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  runner_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  nonce TEXT,
  state TEXT NOT NULL CHECK (state IN ('leased', 'started', 'reported', 'expired', 'rejected', 'cancelled', 'timed_out', 'unknown')),
  claim_message_id TEXT NOT NULL,
  start_message_id TEXT,
  issued_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  deadline_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  sandbox TEXT,
  cancel_reason TEXT,
  -- What the runner reported: its digest without the message id, and what became of it.
  result_digest TEXT,
  result TEXT,
  verdict TEXT CHECK (verdict IN ('pending', 'accepted', 'diagnosis')),
  UNIQUE (request_id, attempt)
) STRICT;
-- The few that are out, by session and with their end: looked through as a whole for those that ran out.
CREATE INDEX lease_live ON lease (session_id, claim_message_id, expires_at) WHERE state IN ('leased', 'started');
CREATE INDEX lease_reported ON lease (finished_at) WHERE verdict = 'pending';
CREATE TRIGGER lease_result_immutable BEFORE UPDATE OF result_digest, result ON lease WHEN OLD.result_digest IS NOT NULL
  BEGIN SELECT RAISE(ABORT, 'a result is immutable'); END;
CREATE TRIGGER lease_once_and_newer BEFORE INSERT ON lease
  WHEN EXISTS (SELECT 1 FROM lease WHERE request_id = NEW.request_id AND (fence >= NEW.fence OR state IN ('leased', 'started')))
  BEGIN SELECT RAISE(ABORT, 'a request has one live lease, and its fence grows'); END;

CREATE TABLE lease_message (
  lease_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (lease_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_chunk (
  id INTEGER PRIMARY KEY,
  lease_id TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  final INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  UNIQUE (lease_id, stream, seq)
) STRICT;

CREATE TABLE artifact (
  instance_id TEXT NOT NULL,
  lease_id TEXT NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  media_type TEXT NOT NULL,
  -- What a task handed over, what it wrote to its streams, or what it has from another run (its effect in place of a lease).
  kind TEXT NOT NULL CHECK (kind IN ('artifact', 'log', 'reused')),
  created_at INTEGER NOT NULL,
  tenant_id TEXT NOT NULL,
  -- When policy lets its bytes go, null for not before its run; and when they were given up.
  expires_at INTEGER,
  expired_at INTEGER,
  PRIMARY KEY (instance_id, lease_id, name, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_by_digest ON artifact (sha256);
CREATE INDEX artifact_of_tenant ON artifact (tenant_id, created_at);
CREATE INDEX artifact_expiry ON artifact (expires_at) WHERE expires_at IS NOT NULL AND expired_at IS NULL;

CREATE TABLE runner (
  tenant_id TEXT NOT NULL,
  runner_id TEXT NOT NULL,
  host_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('approved', 'quarantined')),
  reason TEXT,
  admission TEXT NOT NULL,
  -- A token is forgotten when it was used: from then on the key it has bound is the credential.
  enrolment_hash TEXT UNIQUE,
  enrolment_expires_at INTEGER,
  public_key TEXT UNIQUE,
  -- Facts that the admission leaves open, as the first registration stated them.
  pinned TEXT,
  -- Facts that differ from the approved ones, and wait for an operator.
  reported TEXT,
  approved_snapshot TEXT,
  seen_snapshot TEXT,
  session_id TEXT,
  generation INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, runner_id)
) STRICT;
CREATE INDEX runner_quarantined_host ON runner (tenant_id, host_id) WHERE state = 'quarantined';

CREATE TABLE runner_session (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  runner_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'suspicious', 'draining', 'quarantined', 'closed')),
  reason TEXT,
  challenge_hash TEXT NOT NULL UNIQUE,
  heartbeat_hash TEXT NOT NULL UNIQUE,
  claim_hash TEXT NOT NULL UNIQUE,
  registration TEXT NOT NULL,
  offer TEXT NOT NULL,
  -- The hashes that heartbeats must repeat, as canonical JSON.
  hashes TEXT NOT NULL,
  healthy INTEGER NOT NULL,
  active_leases TEXT NOT NULL,
  audit_interval_ms INTEGER NOT NULL,
  audit_due_at INTEGER NOT NULL,
  audit_asked_at INTEGER,
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX runner_session_current ON runner_session (tenant_id, runner_id) WHERE state <> 'closed';
CREATE INDEX runner_session_audit ON runner_session (audit_due_at) WHERE state IN ('active', 'suspicious', 'draining');

CREATE TABLE operator_task (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  instance_id TEXT,
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'resolved')),
  resolution TEXT,
  created_at INTEGER NOT NULL,
  resolved_at INTEGER
) STRICT;
CREATE UNIQUE INDEX operator_task_open ON operator_task (tenant_id, kind, subject) WHERE state = 'open';

CREATE TABLE audit (
  tenant_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  body TEXT NOT NULL,
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
-- What is before the start was exported and pruned; where the end is, is noted once a transaction.
CREATE TABLE audit_chain (
  tenant_id TEXT PRIMARY KEY,
  start_seq INTEGER NOT NULL,
  start_hash TEXT NOT NULL,
  end_seq INTEGER NOT NULL,
  end_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
  WHEN OLD.seq > coalesce((SELECT start_seq FROM audit_chain WHERE tenant_id = OLD.tenant_id), 0)
  BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_chain_grows BEFORE UPDATE ON audit_chain WHEN NEW.end_seq < OLD.end_seq OR NEW.start_seq < OLD.start_seq
  BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;
