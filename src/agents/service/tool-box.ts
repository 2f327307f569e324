import type { Tool } from "@modelcontextprotocol/sdk/types.js";
import { digestOf } from "../../base/canonical.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import type { Log } from "../../base/log.ts";
import { mcpTool } from "../../protocol/agent-tools.ts";
import type { ToolBox } from "../native.ts";
import { openServer, type ToolServer } from "./tool-server.ts";

/** What of a result a model is shown: the rest would be its whole budget. */
const RESULT = 64 * 1024;

/** What models take as the name of a function. */
const WIRE_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const wireName = (name: string): string => name.replaceAll(".", "__");

export interface ConnectedTools extends ToolBox {
  close(): Promise<void>;
}

interface Offered {
  readonly server: ToolServer;
  /** As its server calls it, and as the agent does. */
  readonly name: string;
  readonly allowed: string;
  readonly isRepeatable: boolean;
  readonly definition: JsonObject;
}

/**
 * The tools of MCP servers, each an address or the path of a program; those alone that the agent names.
 * @param pins what a tool has to be, by its digest
 * @throws Failure `conflict` when two tools would have one name, or one is not what it was, `not_found` for one that no server offers,
 * `unavailable` for a server that does not answer
 */
export async function connectTools(
  addresses: readonly string[],
  allowed: readonly string[],
  log: Log,
  pins: Readonly<Record<string, string>> = {},
): Promise<ConnectedTools> {
  /** By the names that the model calls them by. */
  const offered = new Map<string, Offered>();
  const byName = bareNames(allowed);
  const servers: ToolServer[] = [];
  const close = async () => {
    await Promise.all(servers.map((server) => server.close()));
  };
  try {
    for (const address of addresses) {
      const own: Record<string, string> = {};
      // One that was started again may offer other tools by the same names.
      const server = openServer(address, log, (tools) => {
        for (const tool of tools) {
          const known = own[tool.name];
          if (known !== undefined && known !== digestOfTool(tool)) throw changed(tool.name);
        }
      });
      servers.push(server);
      for (const tool of await server.tools()) {
        const named = byName.get(tool.name);
        if (named === undefined) continue;
        const alias = wireName(tool.name);
        const other = offered.get(alias);
        if (other !== undefined) throw collision(tool.name, other.name);
        if (!WIRE_NAME.test(alias))
          throw fail("invalid_request", `no model can call a tool by the name ${tool.name}`, {
            hint: "a name has up to 64 letters, digits, dots, - and _",
          });
        const { name, description = "", inputSchema, annotations } = tool;
        const digest = digestOfTool(tool);
        if (pins[named] !== undefined && pins[named] !== digest) throw changed(name);
        own[name] = digest;
        const definition = { name: alias, description, parameters: inputSchema as unknown as JsonObject };
        offered.set(alias, {
          server,
          name,
          allowed: named,
          isRepeatable: annotations?.readOnlyHint === true || annotations?.idempotentHint === true,
          definition: { type: "function", function: definition },
        });
      }
    }
    const missing = allowed.find((name) => ![...offered.values()].some((each) => each.allowed === name));
    if (missing !== undefined)
      throw fail("not_found", `no server offers the tool ${missing}`, { hint: "name its server with --mcp" });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    definitions: [...offered.values()].map(({ definition }) => definition),
    isRepeatable: (alias) => offered.get(alias)?.isRepeatable === true,
    async call(alias, input) {
      const tool = offered.get(alias);
      if (tool === undefined) return `refused: there is no tool ${alias.slice(0, 128)}`;
      let given: Json;
      try {
        given = JSON.parse(input) as Json;
      } catch {
        return "refused: the arguments are not JSON";
      }
      if (!isObject(given)) return "refused: the arguments are not an object";
      try {
        return shown(await tool.server.call(tool.name, given as JsonObject));
      } catch (error) {
        return `failed: ${toFailure(error).message.slice(0, 1024)}`;
      }
    },
    close,
  };
}

/** The names that servers call an agent's tools by: `mcp:<server>/<tool>` is the tool of whichever server is given. */
function bareNames(allowed: readonly string[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const each of allowed) {
    const name = mcpTool(each)?.tool ?? each;
    const other = names.get(name);
    if (other !== undefined)
      throw fail(
        "conflict",
        `${other} and ${each} are tools of one name, and their servers are not told apart here`,
      );
    names.set(name, each);
  }
  return names;
}

/**
 * What the agent's tools are, by the names that it gives them, as far as these servers offer them.
 * @throws Failure `not_found` where they offer none of them, `conflict` where two offer one by the same name
 */
export async function toolDigests(
  addresses: readonly string[],
  allowed: readonly string[],
  log: Log,
): Promise<Record<string, string>> {
  const byName = bareNames(allowed);
  const digests: Record<string, string> = {};
  for (const address of addresses) {
    const server = openServer(address, log, () => {});
    try {
      for (const tool of await server.tools()) {
        const named = byName.get(tool.name);
        if (named === undefined) continue;
        if (digests[named] !== undefined) throw collision(tool.name, tool.name);
        digests[named] = digestOfTool(tool);
      }
    } finally {
      await server.close();
    }
  }
  if (Object.keys(digests).length === 0)
    throw fail("not_found", "the servers offer none of the agent's tools", {
      hint: "name them in its `tools`",
    });
  return digests;
}

const digestOfTool = ({ name, description = "", inputSchema }: Tool): string =>
  digestOf({ name, description, inputSchema });

const changed = (name: string) =>
  fail("conflict", `the tool ${name} is no longer what it was`, {
    hint: "publish a new version of the agent with --mcp, and serve that",
  });

const collision = (name: string, other: string) =>
  name === other
    ? fail("conflict", `two servers offer a tool ${name}`, {
        hint: "leave one of them out: a call would go to either",
      })
    : fail("conflict", `a model would call ${name} and ${other} by one name`, {
        hint: "a dot is written __ for a model: rename one of them",
      });

function shown({ content, isError }: JsonObject): string {
  const parts = Array.isArray(content) ? content : [];
  const text = parts
    .map((part) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : JSON.stringify(part)))
    .join("\n");
  const cut = text.length > RESULT ? `${text.slice(0, RESULT)}\n… (${text.length} characters)` : text;
  return isError === true ? `failed: ${cut}` : cut;
}
