/**
 * The tools of an agent under a lease: its built-in ones by their names, and those of local MCP servers as
 * `mcp:<server>/<tool>`. A model knows the latter as `<server>__<tool>`.
 */
export const AGENT_TOOL_PATTERN =
  "^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,127}|mcp:[A-Za-z0-9][A-Za-z0-9._-]{0,31}/[A-Za-z0-9_][A-Za-z0-9._/-]{0,89})$";

/** The server and the tool that a name stands for; null for a built-in one. */
export function mcpTool(name: string): { server: string; tool: string } | null {
  if (!name.startsWith("mcp:")) return null;
  const slash = name.indexOf("/");
  return { server: name.slice("mcp:".length, slash), tool: name.slice(slash + 1) };
}

/** What models take as the name of a function. */
const MODEL_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** What a model calls a tool by. */
export function toolAlias(name: string): string {
  const found = mcpTool(name);
  return found === null ? name : `${found.server}__${found.tool}`.replaceAll(/[^A-Za-z0-9_-]/g, "_");
}

/**
 * What stands against an agent having all of these tools, or null: two that a model could not tell apart, or one that it
 * could not name. Names that differ by case alone are one name to a model.
 */
export function toolConflict(names: readonly string[]): string | null {
  const seen = new Map<string, string>();
  for (const name of names) {
    const alias = toolAlias(name);
    const other = seen.get(alias.toLowerCase());
    if (other !== undefined) return `a model would call ${other} and ${name} by one name, ${alias}`;
    if (mcpTool(name) !== null && !MODEL_NAME.test(alias)) return `${alias} is too long a name for a model`;
    seen.set(alias.toLowerCase(), name);
  }
  return null;
}

/**
 * Why a server that holds a secret may not stand beside the other things that an agent does, or null. Everything that an
 * agent runs is in one sandbox, and what a model wrote could read the environment of a process beside it.
 */
export function secretConflict(
  servers: readonly { readonly name: string; readonly hasSecrets: boolean }[],
  runsCommands: boolean,
): string | null {
  const holder = servers.find(({ hasSecrets }) => hasSecrets);
  if (holder === undefined || !runsCommands) return null;
  return `the MCP server ${holder.name} holds a secret, and an agent that runs commands could read it`;
}
