/** The exchange database, step by step; a database at version n has run the first n. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE home (uid INTEGER PRIMARY KEY, gid INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;

  -- Every value that is set through a file, by its path below the root.
  CREATE TABLE setting (
    path TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    time INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- One row for each attempt; the files of an id show its last one.
  CREATE TABLE request (
    uid INTEGER NOT NULL,
    surface TEXT NOT NULL,
    id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    gid INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued','running','done','failed','cancelled')),
    body BLOB NOT NULL,
    fingerprint TEXT NOT NULL,
    route TEXT,
    result BLOB,
    stream BLOB,
    created INTEGER NOT NULL,
    finished INTEGER,
    hidden INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (uid, surface, id, attempt)
  ) STRICT;
  CREATE INDEX request_open ON request (state) WHERE state IN ('queued','running');

  CREATE TABLE message (
    uid INTEGER NOT NULL,
    thread TEXT NOT NULL,
    seq INTEGER NOT NULL,
    line TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (uid, thread, seq)
  ) STRICT;

  CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    uid INTEGER NOT NULL,
    start INTEGER NOT NULL,
    uid_start INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    time INTEGER NOT NULL,
    line TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_start ON audit (start);
  CREATE INDEX audit_uid ON audit (uid, uid_start);
  CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  `,
  // Each index is one more page in every commit. What waits or runs is known from the rows that are loaded at the start,
  // and `start` grows with `seq`, so that a position is found through the key.
  `
  DROP INDEX request_open;
  DROP INDEX audit_start;
  `,
];
