export const sql = `
-- What operators publish: profiles, command templates, pools, tenants, and the policies of the service and of tenants.
-- A version never changes; it can only be revoked, for good.
CREATE TABLE policy_object (
  kind TEXT NOT NULL CHECK (kind IN ('profile', 'template', 'pool', 'tenant', 'service-policy', 'tenant-policy')),
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  digest TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'revoked')),
  published_by TEXT NOT NULL,
  published_at INTEGER NOT NULL,
  revoked_by TEXT,
  revoked_at INTEGER,
  reason TEXT,
  PRIMARY KEY (kind, id, version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER policy_object_immutable BEFORE UPDATE OF kind, id, version, digest, body, published_by, published_at ON policy_object
  BEGIN SELECT RAISE(ABORT, 'a published version is immutable'); END;
CREATE TRIGGER policy_object_revoked BEFORE UPDATE ON policy_object WHEN OLD.state = 'revoked'
  BEGIN SELECT RAISE(ABORT, 'a revoked version stays revoked'); END;
CREATE TRIGGER policy_object_kept BEFORE DELETE ON policy_object BEGIN SELECT RAISE(ABORT, 'a published version is kept'); END;

-- Which published versions a policy snapshot was made of.
CREATE TABLE policy_snapshot_part (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  policy_digest TEXT NOT NULL REFERENCES policy_snapshot (digest),
  PRIMARY KEY (kind, id, version, policy_digest)
) STRICT, WITHOUT ROWID;

-- Snapshots with a part that was revoked since: nothing is given out under them any more.
CREATE TABLE policy_revocation (
  policy_digest TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (policy_digest, kind, id)
) STRICT, WITHOUT ROWID;
`;
