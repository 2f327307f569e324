import type { Agent, PublishableAgent } from "../../agents/index.ts";
import { agentReference } from "../../agents/index.ts";
import { fail } from "../../base/errors.ts";
import { appendAudit } from "../audit/append.ts";
import { compareVersions } from "../instances/publications.ts";
import type { Operation, Query, Reading } from "../operation.ts";

export interface PublishedAgent {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly agent: Agent;
  readonly published_by: string;
  readonly published_at: number;
}

type Row = Omit<PublishedAgent, "agent"> & { body: string };
const COLUMNS = "name, version, digest, body, published_by, published_at";
const parse = ({ body, ...row }: Row): PublishedAgent => ({ ...row, agent: JSON.parse(body) as Agent });

/**
 * Publish a version of an agent with its skills. The same content again changes nothing. @returns whether it is new
 * @throws Failure `conflict` when other content has the name and version, `not_found` for a skill that nobody published
 */
export const publishAgent: Operation<
  PublishableAgent & { tenantId: string; actor: string; now: number },
  boolean
> = (tx, { tenantId, agent, digest, skills, actor, now }) => {
  const { name, version } = agent;
  const known = tx.get<{ digest: string }>(
    "SELECT digest FROM agent WHERE tenant_id = ? AND name = ? AND version = ?",
    tenantId,
    name,
    version,
  );
  if (known !== undefined) {
    if (known.digest === digest) return false;
    throw fail("conflict", `the agent ${name} ${version} is published with other content`, {
      hint: "a published version never changes: raise its version",
    });
  }
  for (const [skill, text] of skills) {
    tx.run(
      "INSERT INTO agent_skill (tenant_id, digest, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      tenantId,
      skill,
      text,
    );
  }
  for (const skill of agent.skills ?? []) {
    if (readSkill(tx, { tenantId, digest: skill.digest }) === null)
      throw fail("not_found", `the skill ${skill.name} (${skill.digest}) was never published`, {
        hint: "give its text",
      });
  }
  tx.run(
    `INSERT INTO agent (tenant_id, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    tenantId,
    name,
    version,
    digest,
    JSON.stringify(agent),
    actor,
    now,
  );
  appendAudit(tx, {
    tenantId,
    now,
    actor,
    action: "agent.published",
    object: `agent:${name}@${version}`,
    body: { digest, tools: agent.tools ?? [] },
  });
  return true;
};

/** Every version, by name, the oldest publication first. */
export const listAgents: Query<string, PublishedAgent[]> = (tx, tenantId) =>
  tx.all<Row>(`SELECT ${COLUMNS} FROM agent WHERE tenant_id = ? ORDER BY name, rowid`, tenantId).map(parse);

/** Every version with the texts of its skills, as it could be published again. */
export const publishableAgents: Query<string, PublishableAgent[]> = (tx, tenantId) =>
  listAgents(tx, tenantId).map(({ agent, digest }) => {
    const skills = new Map<string, string>();
    for (const skill of agent.skills ?? [])
      skills.set(skill.digest, readSkill(tx, { tenantId, digest: skill.digest }) ?? "");
    return { agent, digest, skills };
  });

/** The agent that `name` or `name:version` names; the highest version where none is. Null where there is none. */
export const findAgent: Query<{ tenantId: string; reference: string }, PublishedAgent | null> = (
  tx,
  { tenantId, reference },
) => {
  const { name, version } = agentReference(reference);
  const rows = tx.all<Row>(`SELECT ${COLUMNS} FROM agent WHERE tenant_id = ? AND name = ?`, tenantId, name);
  const row =
    version === null
      ? rows.sort((one, other) => compareVersions(other.version, one.version))[0]
      : rows.find((each) => each.version === version);
  return row === undefined ? null : parse(row);
};

/** The text of a skill, or null. */
export const readSkill = (
  tx: Pick<Reading, "get">,
  { tenantId, digest }: { tenantId: string; digest: string },
): string | null =>
  tx.get<{ text: string }>(
    "SELECT text FROM agent_skill WHERE tenant_id = ? AND digest = ?",
    tenantId,
    digest,
  )?.text ?? null;
