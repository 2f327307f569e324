export const sql = `
-- Agents by name and version, which never change; their skills are texts by digest.
CREATE TABLE agent (
  tenant_id TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  body TEXT NOT NULL,
  published_by TEXT NOT NULL,
  published_at INTEGER NOT NULL,
  UNIQUE (tenant_id, name, version)
) STRICT;
CREATE TRIGGER agent_immutable BEFORE UPDATE ON agent BEGIN SELECT RAISE(ABORT, 'a published agent is immutable'); END;
CREATE TRIGGER agent_kept BEFORE DELETE ON agent BEGIN SELECT RAISE(ABORT, 'a published agent is kept'); END;

CREATE TABLE agent_skill (
  tenant_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  text TEXT NOT NULL,
  UNIQUE (tenant_id, digest)
) STRICT;
CREATE TRIGGER agent_skill_immutable BEFORE UPDATE ON agent_skill BEGIN SELECT RAISE(ABORT, 'a skill is immutable'); END;
`;
