export const sql = `
-- Calls that the orchestrator makes itself. The marker says whether the other side may have acted on it: it stands
-- before the first byte leaves, and decides what happens after a crash.
CREATE TABLE native_call (
  instance_id TEXT NOT NULL REFERENCES instance (id),
  effect_id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  step_id TEXT NOT NULL,
  reference TEXT NOT NULL,
  request TEXT NOT NULL,
  repeatable INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'claimed', 'done', 'cancelled', 'unknown')),
  marker TEXT NOT NULL CHECK (marker IN ('none', 'possible', 'confirmed')),
  owner TEXT,
  fence INTEGER NOT NULL,
  claimed_until INTEGER,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (instance_id, effect_id)
) STRICT;
CREATE INDEX native_call_pending ON native_call (created_at) WHERE state = 'pending';
CREATE INDEX native_call_claimed ON native_call (claimed_until) WHERE state = 'claimed';
CREATE TRIGGER native_call_fence_grows BEFORE UPDATE OF fence ON native_call WHEN NEW.fence < OLD.fence
  BEGIN SELECT RAISE(ABORT, 'a fence grows'); END;

-- Events that came in: for whoever listens, or in a lane to start a workflow. An event is known by its source and id, as
-- CloudEvents has it: a repeat is the same one. Those of one aggregate are handled in their order: one that is set aside
-- holds those after it back. \`delivered_to\` is how far a long list of listeners has been told.
CREATE TABLE event_inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id TEXT NOT NULL,
  source TEXT NOT NULL,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  lane TEXT,
  aggregate TEXT,
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'aside', 'blocked', 'dropped')),
  tries INTEGER NOT NULL DEFAULT 0,
  delivered_to TEXT,
  run_id TEXT,
  diagnostic TEXT,
  received_at INTEGER NOT NULL,
  sent_by TEXT,
  UNIQUE (tenant_id, source, event_id)
) STRICT;
CREATE INDEX event_inbox_pending ON event_inbox (seq) WHERE state = 'pending';
CREATE INDEX event_inbox_held ON event_inbox (tenant_id, state, seq) WHERE state IN ('aside', 'blocked');
CREATE INDEX event_inbox_aggregate ON event_inbox (tenant_id, aggregate, seq)
  WHERE aggregate IS NOT NULL AND state IN ('pending', 'aside', 'blocked');
CREATE INDEX event_inbox_lane ON event_inbox (tenant_id, lane, seq) WHERE lane IS NOT NULL;

-- Listening tasks, by the type of the events that they may be about ('' is any) and what an expression must give of them ('' is
-- none), and the position after which events are for them.
CREATE TABLE subscription (
  tenant_id TEXT NOT NULL,
  type TEXT NOT NULL,
  correlation TEXT NOT NULL,
  value TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  after_seq INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, type, correlation, value, instance_id, effect_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_of_effect ON subscription (instance_id, effect_id);

-- Definitions under the names by which other workflows run them.
CREATE TABLE publication (
  tenant_id TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL REFERENCES definition (digest),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, namespace, name, version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER publication_immutable BEFORE UPDATE ON publication BEGIN SELECT RAISE(ABORT, 'a publication is immutable'); END;

-- Instances that a task of another one waits for.
CREATE TABLE child (
  child_id TEXT PRIMARY KEY REFERENCES instance (id),
  parent_id TEXT NOT NULL REFERENCES instance (id),
  effect_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX child_of_parent ON child (parent_id, effect_id);
`;
