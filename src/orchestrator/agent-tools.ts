import type { Agent } from "../agents/index.ts";
import { fail } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import {
  coversName,
  type PinnedTemplate,
  type PolicyLayer,
  PUBLISHING,
  renderTemplate,
  requestLayer,
} from "../policy/index.ts";
import { type AgentWork, type McpServer, mcpTool, secretConflict } from "../protocol/index.ts";
import { admits, checkEnvironment, checkProgram, denied } from "./admits.ts";

type Templates = Readonly<Record<string, PinnedTemplate>>;

/** What an agent on a runner may start, as its lease carries it. */
export interface AgentPrograms {
  readonly commands: AgentWork["commands"];
  readonly templates: NonNullable<AgentWork["templates"]>;
  readonly servers: readonly McpServer[];
  /** The secrets of its servers, for the task's own environment: references, under names that tell nothing. */
  readonly environment: Readonly<Record<string, string>>;
  /** What its templates ask of a runner. */
  readonly capabilities: readonly string[];
}

const CALL_MS = 120_000;

/**
 * The programs of an agent's call under its policy: the commands and templates that the task names, and the servers whose
 * tools the agent has.
 * @param templates those that the instance was started with
 * @throws Failure `execution_policy_denied`, `template_denied`
 */
export function agentPrograms(
  given: JsonObject,
  agent: Agent,
  policy: PolicyLayer,
  templates: Templates,
): AgentPrograms {
  const asked = (Array.isArray(given["commands"]) ? given["commands"] : []) as JsonObject[];
  const named = asked.filter((each) => each["template"] !== undefined);
  const own = asked.filter((each) => each["template"] === undefined);
  const commands = own.map((each) => {
    const command = String(each["command"]);
    checkDirect(command, policy);
    return { name: String(each["name"]), command, arguments: (each["arguments"] ?? []) as string[] };
  });
  const byTemplate = named.map((each) => {
    const { digest, template } = pinnedTemplate(String(each["template"]), policy, templates);
    return { name: String(each["name"]), digest, template };
  });
  const names = asked.map((each) => String(each["name"]));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw denied(`two commands are named ${twice}`, "commands");

  const environment: Record<string, string> = {};
  const used = new Set((agent.tools ?? []).flatMap((tool) => mcpTool(tool)?.server ?? []));
  const servers = (agent.mcpServers ?? [])
    .filter(({ name }) => used.has(name))
    .map((server) => ({
      ...serverOf(server, policy, templates, environment),
      pins: pinsOf(agent, server.name),
    }));
  const runs = (agent.tools ?? []).includes("run") || isObject(given["repair"]);
  const holders = servers.map(({ name, secrets }) => ({ name, hasSecrets: Object.keys(secrets).length > 0 }));
  const held = secretConflict(holders, runs);
  if (held !== null) throw denied(held, "mcpServers");
  if (holders.some(({ hasSecrets }) => hasSecrets) && policy.secretPolicy === "none")
    throw denied("a server of the agent uses a secret, and its secret policy is none", "secretPolicy");
  const pinned = [
    ...byTemplate.map(({ template }) => template),
    ...servers.flatMap(({ commandTemplateId: id }) => (id === undefined ? [] : [templates[id]!.template])),
  ];
  return {
    commands,
    templates: byTemplate,
    servers,
    environment,
    capabilities: [...new Set(pinned.flatMap(({ capabilities }) => capabilities ?? []))],
  };
}

/**
 * What no agent does, whatever policy allows the task: publish, sign or tag, or change the host. What it changes comes back
 * as a patch.
 * @throws Failure `execution_policy_denied`
 */
export function checkScope(light: JsonObject): void {
  const actions = requestLayer(light).allow?.actions ?? [];
  const publishes = (PUBLISHING as readonly string[]).find((name) => actions.includes(name));
  if (publishes !== undefined)
    throw denied(
      `an agent does not ${publishes}: a step of its own does, which a person approves`,
      "allow.actions",
    );
  const mounts = (Array.isArray(light["mounts"]) ? light["mounts"] : []) as JsonObject[];
  const written = mounts.find(({ readOnly }) => readOnly === false);
  if (written !== undefined)
    throw denied(`an agent sees ${String(written["source"])} for reading alone`, "hostExposure");
}

/** @throws Failure for a program that is no template's, where policy does not allow it */
function checkDirect(command: string, policy: PolicyLayer): void {
  if (policy.directCommands === false)
    throw fail("template_denied", `${command} is a program of its own, and policy runs templates alone`, {
      hint: "name an approved template in its place",
      details: { field: "directCommands" },
    });
  checkProgram(command, policy);
}

/** @throws Failure for a template that is not approved here, or does what an agent never does */
function pinnedTemplate(id: string, policy: PolicyLayer, templates: Templates): PinnedTemplate {
  const pinned = templates[id];
  if (pinned === undefined)
    throw fail("template_denied", `the template ${id} is not part of this instance's policy`, {
      hint: "the task names it in its commands, or as security.allow.commandTemplates",
      details: { template: id },
    });
  if (!admits(policy, "commandTemplates", id))
    throw denied(`the template ${id} is not one that policy allows`, "allow.commandTemplates");
  const { action, executable } = pinned.template;
  if (action !== undefined) checkAction(id, action, policy);
  checkProgram(executable, policy);
  return pinned;
}

/** A model chooses when it runs, so whatever a person has to agree to is out of its reach. */
function checkAction(id: string, action: string, policy: PolicyLayer): void {
  const needsPerson =
    (PUBLISHING as readonly string[]).includes(action) ||
    (policy.requiresHumanApprovalBefore ?? []).some((pattern) => coversName(pattern, action));
  if (needsPerson)
    throw fail("template_denied", `the template ${id} does ${action}, which no agent does by itself`, {
      details: { template: id },
    });
  if (!admits(policy, "actions", action))
    throw denied(`the template ${id} does ${action}, which policy does not allow`, "allow.actions");
}

const REFERENCE = "runner-secret://";

function serverOf(
  server: NonNullable<Agent["mcpServers"]>[number],
  policy: PolicyLayer,
  templates: Templates,
  taskEnvironment: Record<string, string>,
): Omit<McpServer, "pins"> {
  const { name, command, commandTemplateId: id, environment: all = {}, timeoutMs = CALL_MS } = server;
  checkEnvironment(all, policy);
  const environment: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  for (const [variable, value] of Object.entries(all)) {
    if (!value.startsWith(REFERENCE)) environment[variable] = value;
    else {
      const place = `AGENT_SECRET_${Object.keys(taskEnvironment).length}`;
      taskEnvironment[place] = value;
      secrets[variable] = place;
    }
  }
  const common = { name, secrets, timeoutMs };
  if (id === undefined) {
    checkDirect(command!, policy);
    return { ...common, command: command!, arguments: server.arguments ?? [], environment };
  }
  const { template, digest } = pinnedTemplate(id, policy, templates);
  const rendered = renderTemplate(template, {
    command: template.command ?? template.id,
    arguments: server.arguments ?? [],
    environment: all,
  });
  return {
    ...common,
    command: rendered.command,
    arguments: rendered.arguments,
    environment,
    ...(rendered.directory === undefined ? {} : { directory: rendered.directory }),
    commandTemplateId: id,
    commandTemplateDigest: digest,
  };
}

/** What the tools of one server were when the agent was published. */
const pinsOf = ({ pins = {} }: Agent, server: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(pins).flatMap(([name, digest]) => {
      const found = mcpTool(name);
      return found?.server === server ? [[found.tool, digest]] : [];
    }),
  );

/** The task's own request with what its templates ask of a runner. */
export function withCapabilities(light: JsonObject, capabilities: readonly string[]): JsonObject {
  if (capabilities.length === 0) return light;
  const runner = (isObject(light["runner"]) ? light["runner"] : {}) as JsonObject;
  const asked = (Array.isArray(runner["capabilities"]) ? runner["capabilities"] : []) as Json[];
  return { ...light, runner: { ...runner, capabilities: [...new Set([...asked, ...capabilities])] } };
}
