import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { childEnvironment } from "../../base/child-env.ts";
import { fail } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { VERSION } from "../../base/version.ts";
import type { ToolBox } from "../native.ts";

const CALL_MS = 60_000;
/** What of a result a model is shown: the rest would be its whole budget. */
const RESULT = 64 * 1024;

export interface ConnectedTools extends ToolBox {
  close(): Promise<void>;
}

/**
 * The tools of MCP servers, each an address or the path of a program; those alone that the agent names.
 * @throws Failure `conflict` when two servers offer a tool of the same name, `not_found` for one that none offers
 */
export async function connectTools(
  servers: readonly string[],
  allowed: readonly string[],
): Promise<ConnectedTools> {
  const offered = new Map<string, { client: Client; definition: JsonObject }>();
  const clients: Client[] = [];
  const close = async () => {
    await Promise.all(clients.map((client) => client.close().catch(() => {})));
  };
  try {
    if (servers.length > 0) {
      const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
      for (const server of servers) {
        const client = new Client({ name: "lightflow", version: VERSION });
        await client.connect(await transportTo(server));
        clients.push(client);
        for (const tool of (await client.listTools()).tools) {
          if (!allowed.includes(tool.name)) continue;
          if (offered.has(tool.name))
            throw fail("conflict", `two servers offer a tool ${tool.name}`, {
              hint: "leave one of them out: a call would go to either",
            });
          const { name, description = "", inputSchema } = tool;
          const definition = { name, description, parameters: inputSchema as unknown as JsonObject };
          offered.set(name, { client, definition: { type: "function", function: definition } });
        }
      }
    }
    const missing = allowed.find((name) => !offered.has(name));
    if (missing !== undefined)
      throw fail("not_found", `no server offers the tool ${missing}`, { hint: "name its server with --mcp" });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    definitions: [...offered.values()].map(({ definition }) => definition),
    async call(name, input) {
      const tool = offered.get(name);
      if (tool === undefined) return `refused: there is no tool ${name.slice(0, 128)}`;
      let given: Json;
      try {
        given = JSON.parse(input) as Json;
      } catch {
        return "refused: the arguments are not JSON";
      }
      if (!isObject(given)) return "refused: the arguments are not an object";
      try {
        const answer = await tool.client.callTool({ name, arguments: given as JsonObject }, undefined, {
          timeout: CALL_MS,
        });
        return shown(answer as JsonObject);
      } catch (error) {
        return `failed: ${(error as Error).message.slice(0, 1024)}`;
      }
    },
    close,
  };
}

async function transportTo(server: string): Promise<Transport> {
  if (/^https?:\/\//.test(server)) {
    const { StreamableHTTPClientTransport } = await import(
      "@modelcontextprotocol/sdk/client/streamableHttp.js"
    );
    return new StreamableHTTPClientTransport(new URL(server)) as Transport;
  }
  const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
  return new StdioClientTransport({ command: server, env: childEnvironment({}), stderr: "inherit" });
}

function shown({ content, isError }: JsonObject): string {
  const parts = Array.isArray(content) ? content : [];
  const text = parts
    .map((part) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : JSON.stringify(part)))
    .join("\n");
  const cut = text.length > RESULT ? `${text.slice(0, RESULT)}\n… (${text.length} characters)` : text;
  return isError === true ? `failed: ${cut}` : cut;
}
