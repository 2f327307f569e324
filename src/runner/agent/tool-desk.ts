import { digestOf } from "../../base/canonical.ts";
import { type Failure, fail } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { type AgentWork, mcpTool, toolAlias, toolConflict } from "../../protocol/index.ts";
import { renderTemplate } from "../../protocol/template/render.ts";
import { builtInTools, runTool } from "./tool-definitions.ts";

/** What is done about a call of a tool: what the worker may do, or why it may not. */
export type Permission =
  | { readonly refused: string }
  | {
      /** A built-in tool, with what the tool `run` is to start where a template made it. */
      readonly builtIn: string;
      readonly run?: {
        readonly command: string;
        readonly arguments: readonly string[];
        readonly directory?: string;
        readonly timeoutMs?: number;
      };
      /** For the transcript. */
      readonly template?: { readonly id: string; readonly digest: string };
    }
  | { readonly server: string; readonly tool: string };

export interface ToolDesk {
  /**
   * What a server offers, of the tools that the lease names.
   * @returns their digests
   * @throws Failure `agent_tool_missing`, `agent_tool_changed`, `agent_output_invalid`
   */
  offer(server: string, tools: Json | undefined): Record<string, string>;
  /** The servers whose tools are not known yet. */
  waiting(): string[];
  definitions(): JsonObject[];
  permit(alias: string, given: string): Permission;
}

/** A definition is a part of every request to the model. */
const DESCRIPTION = 16 * 1024;
const SCHEMA = 64 * 1024;

/**
 * The tools of one agent's call, composed outside its sandbox of what the lease allows and its servers offer. What is not
 * in both does not exist.
 * @throws Failure `agent_tool_conflict`, `template_denied` for a lease that contradicts itself
 */
export function openToolDesk(work: AgentWork): ToolDesk {
  const conflict = toolConflict(work.allowedTools);
  if (conflict !== null) throw fail("agent_tool_conflict", conflict);
  for (const { name, digest, template } of work.templates ?? [])
    if (digestOf(template) !== digest)
      throw fail("template_denied", `the template of the command ${name} is not the one that was approved`);
  const servers = new Map((work.mcpServers ?? []).map((server) => [server.name, server]));
  const external = work.allowedTools.flatMap((name) => {
    const found = mcpTool(name);
    return found === null ? [] : [{ ...found, name, alias: toolAlias(name) }];
  });
  const homeless = external.find(({ server }) => !servers.has(server));
  if (homeless !== undefined)
    throw fail("agent_tool_missing", `no server of the lease offers ${homeless.name}`);
  const builtIn = builtInTools(work.allowedTools);
  const offered = new Map<string, JsonObject>();
  const known = new Set<string>();

  return {
    offer(server, tools) {
      if (known.has(server)) throw fail("conflict", `the tools of ${server} are known`);
      known.add(server);
      const list = (Array.isArray(tools) ? tools : []).filter(isObject) as JsonObject[];
      const digests: Record<string, string> = {};
      for (const { tool, alias, name } of external.filter((each) => each.server === server)) {
        const found = list.find((each) => each["name"] === tool);
        if (found === undefined)
          throw fail("agent_tool_missing", `the MCP server ${server} offers no tool ${tool}`);
        const { digest, definition } = definitionOf(name, tool, alias, found);
        const pinned = servers.get(server)!.pins[tool];
        if (pinned !== undefined && pinned !== digest)
          throw fail("agent_tool_changed", `${name} is ${digest} now, and was published as ${pinned}`, {
            hint: "look at what changed, and publish a version of the agent with the new digest",
          });
        offered.set(alias, definition);
        digests[tool] = digest;
      }
      return digests;
    },
    waiting: () => [...new Set(external.map(({ server }) => server))].filter((name) => !known.has(name)),
    definitions: () => [
      ...builtIn,
      ...(work.allowedTools.includes("run") ? [runTool(work.commands, work.templates ?? [])] : []),
      ...offered.values(),
    ],
    permit(alias, given) {
      const found = external.find((each) => each.alias === alias && offered.has(alias));
      if (found !== undefined) return { server: found.server, tool: found.tool };
      if (!work.allowedTools.includes(alias) || alias.includes(":"))
        return { refused: unknown(work, alias, offered) };
      const definition =
        alias === "run"
          ? runTool(work.commands, work.templates ?? [])
          : builtIn.find((each) => nameOf(each) === alias);
      const wrong = definition === undefined ? null : misfitOf(definition, given);
      if (wrong !== null) return { refused: wrong };
      return alias === "run" ? permitRun(work, given) : { builtIn: alias };
    },
  };
}

const functionOf = (definition: JsonObject) => definition["function"] as JsonObject;
const nameOf = (definition: JsonObject) => functionOf(definition)["name"];

/** Why arguments are not those of a built-in tool, or null. What is no object at all is told where it is read. */
function misfitOf(definition: JsonObject, given: string): string | null {
  let value: Json;
  try {
    value = JSON.parse(given) as Json;
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  const { properties, required } = functionOf(definition)["parameters"] as {
    properties: Record<string, { type: string; enum?: string[] }>;
    required: string[];
  };
  const takes = `${String(nameOf(definition))} takes ${Object.keys(properties).join(", ")}`;
  const strange = Object.keys(value).find((name) => !Object.hasOwn(properties, name));
  if (strange !== undefined) return `${takes}, and no ${strange.slice(0, 128)}`;
  const missing = required.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${takes}: ${missing} is missing`;
  const other = Object.entries(value).find(
    ([name, each]) => properties[name]!.type === "string" && typeof each !== "string",
  );
  return other === undefined ? null : `${takes}: ${other[0]} must be a text`;
}

function unknown(work: AgentWork, alias: string, offered: ReadonlyMap<string, JsonObject>): string {
  const names = [...work.allowedTools.filter((name) => mcpTool(name) === null), ...offered.keys()];
  return `there is no tool ${alias.slice(0, 128)} here; the tools are ${names.join(", ")}`;
}

/** A command that a template makes is made here: the sandbox gets a finished argument vector. */
function permitRun(work: AgentWork, given: string): Permission {
  let asked: Json;
  try {
    asked = JSON.parse(given) as Json;
  } catch {
    return { builtIn: "run" };
  }
  const { command, values } = (isObject(asked) ? asked : {}) as JsonObject;
  const found = work.templates?.find(({ name }) => name === command);
  if (found === undefined) return { builtIn: "run" };
  const { template, digest } = found;
  const slots = template.slots ?? [];
  if (values !== undefined && !isObject(values)) return { refused: "values must be an object of texts" };
  const texts = (values ?? {}) as JsonObject;
  const strange = Object.keys(texts).find((name) => !slots.some((slot) => slot.name === name));
  if (strange !== undefined) return { refused: `${found.name} has no value ${strange.slice(0, 128)}` };
  const wrong = Object.keys(texts).find((name) => typeof texts[name] !== "string");
  if (wrong !== undefined) return { refused: `the value ${wrong} must be a text` };
  try {
    const { environment: _, ...run } = renderTemplate(template, {
      command: template.command ?? template.id,
      arguments: slots.map(({ name }) => texts[name] as string | undefined),
      environment: {},
    });
    const timeoutMs = template.limits?.taskMs;
    return {
      builtIn: "run",
      run: timeoutMs === undefined ? run : { ...run, timeoutMs },
      template: { id: template.id, digest },
    };
  } catch (error) {
    return { refused: (error as Failure).message };
  }
}

function definitionOf(
  name: string,
  tool: string,
  alias: string,
  { description = "", inputSchema }: JsonObject,
): { digest: string; definition: JsonObject } {
  const text = JSON.stringify(inputSchema ?? null);
  if (typeof description !== "string" || !isObject(inputSchema))
    throw fail("agent_output_invalid", `the definition of ${name} is malformed`);
  if (description.length > DESCRIPTION || text.length > SCHEMA)
    throw fail("agent_output_invalid", `the definition of ${name} is larger than a model is given`);
  return {
    digest: digestOf({ name: tool, description, inputSchema }),
    definition: { type: "function", function: { name: alias, description, parameters: inputSchema } },
  };
}
