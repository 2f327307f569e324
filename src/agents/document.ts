import { type Static, Type } from "@sinclair/typebox";
import { digestOf, sha256 } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { AGENT_TOOL_PATTERN, mcpTool, secretConflict, toolConflict } from "../protocol/agent-tools.ts";
import { closed, keyed, TOOL_NAME, VARIABLE } from "../protocol/common.ts";
import { validate } from "../protocol/validate.ts";

/** Instructions and skills are prompts: they and the input have to fit into one exchange with a model. */
const INSTRUCTIONS = 64 * 1024;
const SKILL = 256 * 1024;

const Name = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" });
const Version = Type.String({
  maxLength: 128,
  pattern: "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$",
});
const DIGEST = "^sha256:[0-9a-f]{64}$";
const Amount = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

export const AgentBudgets = closed({
  /** Tokens that the model reads and writes, in all turns of one call. */
  tokens: Type.Optional(Amount),
  /** Millionths of the provider's currency; it takes `model.prices`. */
  costMicros: Type.Optional(Amount),
  /** Answers of the model in one call. */
  turns: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  /** Repairs of one failed step. */
  repairAttempts: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
});
export type AgentBudgets = Static<typeof AgentBudgets>;

export const AgentModel = closed({
  /** What policy knows it by (`allow.modelProviders`); `none` calls no model: tasks answer with their `mockOutput`. */
  provider: Type.Optional(Name),
  /** Whose it is, for the data boundary; without it the placement decides. */
  scope: Type.Optional(Type.Union([Type.Literal("saas"), Type.Literal("tenant")])),
  /** As CortexFS routes it; without it the host's default. */
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
  maximumOutputTokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  /** Millionths of the currency for a million tokens. */
  prices: Type.Optional(closed({ input: Amount, output: Amount })),
});
export type AgentModel = Static<typeof AgentModel>;

const skill = { name: Name, description: Type.Optional(Type.String({ maxLength: 1024 })) };
const SkillText = Type.String({ minLength: 1, maxLength: SKILL });
const SkillDigest = Type.String({ pattern: DIGEST });

/** A built-in tool, or `mcp:<server>/<tool>` of one of the agent's servers. */
const Tool = Type.String({ pattern: AGENT_TOOL_PATTERN });
const SECRET_SCHEME = "runner-secret://";

/** A program of the tenant's host that offers tools over MCP, started in the sandbox of each call. */
export const AgentServer = closed({
  name: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$" }),
  /** Its program, or the approved template that its arguments are the values of. */
  command: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  commandTemplateId: Type.Optional(Name),
  arguments: Type.Optional(Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 256 })),
  /** A secret is `runner-secret://<name>` as the whole value. */
  environment: Type.Optional(keyed(VARIABLE, Type.String({ maxLength: 4096 }))),
  /** Of one call of a tool; two minutes where nothing is said. */
  timeoutMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 3_600_000 })),
});
export type AgentServer = Static<typeof AgentServer>;

const members = {
  name: Name,
  version: Version,
  description: Type.Optional(Type.String({ maxLength: 4096 })),
  instructions: Type.String({ minLength: 1, maxLength: INSTRUCTIONS }),
  model: Type.Optional(AgentModel),
  /** JSON Schema (2020-12) of its answer. */
  outputSchema: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  /** Tools that it may use: it runs under a lease then, in a sandbox of its own. */
  tools: Type.Optional(Type.Array(Tool, { maxItems: 64, uniqueItems: true })),
  mcpServers: Type.Optional(Type.Array(AgentServer, { maxItems: 16 })),
  /** What its tools were when it was published, by the digests of `{name, description, inputSchema}`: others are refused. */
  pins: Type.Optional(keyed(TOOL_NAME, Type.String({ pattern: DIGEST }))),
  /** Whether it works on the files of a workspace, or needs the tenant's network. */
  files: Type.Optional(Type.Boolean()),
  privateNetwork: Type.Optional(Type.Boolean()),
  budgets: Type.Optional(AgentBudgets),
  /** Where it is deployed on its own, for `mode: service`. */
  service: Type.Optional(
    closed({ endpoint: Type.String({ minLength: 1, maxLength: 2048, pattern: "^https?://" }) }),
  ),
};

/** What `lightflow agent publish` reads: a skill is a text, or the digest of one that was published before. */
export const AgentDocument = closed({
  ...members,
  skills: Type.Optional(
    Type.Array(
      Type.Union([closed({ ...skill, text: SkillText }), closed({ ...skill, digest: SkillDigest })]),
      { maxItems: 32 },
    ),
  ),
});
export type AgentDocument = Static<typeof AgentDocument>;

/** What is published: skills by the digests of their texts. Its digest is the agent's. */
export const Agent = closed({
  ...members,
  skills: Type.Optional(Type.Array(closed({ ...skill, digest: SkillDigest }), { maxItems: 32 })),
});
export type Agent = Static<typeof Agent>;

export interface PublishableAgent {
  readonly agent: Agent;
  readonly digest: string;
  /** Texts by their digests. */
  readonly skills: ReadonlyMap<string, string>;
}

/** @throws Failure `invalid_request` for what is no agent */
export function readAgent(document: unknown): PublishableAgent {
  const { skills = [], ...rest } = validate(AgentDocument, document);
  const texts = new Map<string, string>();
  const named = new Set<string>();
  const byDigest = skills.map((each) => {
    if (named.has(each.name)) throw fail("invalid_request", `/skills: two are named ${each.name}`);
    named.add(each.name);
    if ("digest" in each) return each;
    const { text, ...about } = each;
    const digest = `sha256:${sha256(text)}`;
    texts.set(digest, text);
    return { ...about, digest };
  });
  const agent: Agent = { ...rest, ...(byDigest.length === 0 ? {} : { skills: byDigest }) };
  if (agent.budgets?.costMicros !== undefined && agent.model?.prices === undefined) {
    throw fail("invalid_request", "/budgets/costMicros: nothing says what a token costs", {
      hint: "state model.prices",
    });
  }
  const stray = Object.keys(agent.pins ?? {}).find((tool) => !(agent.tools ?? []).includes(tool));
  if (stray !== undefined) throw fail("invalid_request", `/pins/${stray}: it is not one of its tools`);
  checkTools(agent);
  return { agent, digest: digestOf(agent), skills: texts };
}

/** Every tool of a server has a server, every server a program, and a model can tell all tools apart. */
function checkTools({ tools = [], mcpServers = [] }: Agent): void {
  const refused = (place: string, why: string, hint?: string) =>
    fail("invalid_request", `${place}: ${why}`, hint === undefined ? {} : { hint });
  for (const [index, server] of mcpServers.entries()) {
    const place = `/mcpServers/${index}`;
    if (mcpServers.findIndex(({ name }) => name === server.name) !== index)
      throw refused(`${place}/name`, `two are named ${server.name}`);
    if ((server.command === undefined) === (server.commandTemplateId === undefined))
      throw refused(place, "a server has either a command or a commandTemplateId");
    const named = Object.entries(server.environment ?? {}).find(
      ([, value]) =>
        value.includes("-secret://") && !/^runner-secret:\/\/[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value),
    );
    if (named !== undefined)
      throw refused(`${place}/environment/${named[0]}`, `a secret is ${SECRET_SCHEME} and its name, alone`);
  }
  const homeless = tools.find((tool) => {
    const server = mcpTool(tool)?.server;
    return server !== undefined && !mcpServers.some(({ name }) => name === server);
  });
  if (homeless !== undefined) throw refused("/tools", `${homeless} is of no server in mcpServers`);
  const conflict = toolConflict(tools);
  if (conflict !== null)
    throw fail("agent_tool_conflict", `/tools: ${conflict}`, { hint: "rename the server" });
  const held = secretConflict(mcpServers.map(withSecrets), tools.includes("run"));
  if (held !== null) throw refused("/tools", held, "give the two to different agents");
}

const withSecrets = ({ name, environment = {} }: AgentServer): { name: string; hasSecrets: boolean } => ({
  name,
  hasSecrets: Object.values(environment).some((value) => value.startsWith(SECRET_SCHEME)),
});

/** `name` or `name:version`. */
export function agentReference(text: string): { name: string; version: string | null } {
  const at = text.indexOf(":");
  return at < 0 ? { name: text, version: null } : { name: text.slice(0, at), version: text.slice(at + 1) };
}
