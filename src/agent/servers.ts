import { join } from "node:path";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { isObject, type JsonObject } from "../base/json.ts";
import { validatesAgainst } from "../base/json-schema.ts";
import { MIB } from "../base/limits.ts";
import { VERSION } from "../base/version.ts";
import { serverEnvironment } from "../calls/mcp/server-environment.ts";
import { StdioTransport } from "../calls/mcp/stdio-transport.ts";
import { shortened, type ToolDone } from "./tools.ts";

/** What the worker is told of one MCP server. */
export interface ServerTold {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly directory: string | null;
  readonly environment: Readonly<Record<string, string>>;
  /** By the variables of the worker's environment that hold them. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** What the lease names; nothing else is told to anybody. */
  readonly tools: readonly string[];
}

export interface ServerDone extends ToolDone {
  /** Where the server itself failed. */
  readonly code?: string;
}

export interface McpServers {
  call(server: string, tool: string, given: JsonObject): Promise<ServerDone>;
  close(): Promise<void>;
}

/** Says what a server offers, or how it ended instead. */
export type Offer = (
  server: string,
  said: { tools: JsonObject[] } | { failed: JsonObject },
) => Promise<unknown>;

const CONNECT_MS = 20_000;
const PAGES = 16;
/** One message: a result is shortened, but it is taken whole first. */
const MESSAGE = 16 * MIB;

interface Connected {
  readonly told: ServerTold;
  readonly client: Client;
  readonly transport: StdioTransport;
  readonly schemas: ReadonlyMap<string, JsonObject>;
}

/**
 * The MCP servers of an agent's call, beside its worker: started once, and gone for good when they end.
 * @param secrets taken out of the worker's environment before anything was started
 */
export async function openServers(
  servers: readonly ServerTold[],
  secrets: ReadonlyMap<string, string>,
  offer: Offer,
): Promise<McpServers> {
  const used = servers.filter(({ tools }) => tools.length > 0);
  const connected = new Map<string, Connected>();
  const close = async () => {
    await Promise.all([...connected.values()].map(({ client }) => client.close().catch(() => {})));
  };
  try {
    await Promise.all(
      used.map(async (told) => {
        const transport = transportTo(told, secrets);
        try {
          const { client, tools } = await connect(told, transport);
          const schemas = new Map(tools.map((tool) => [String(tool["name"]), argumentsOf(tool)]));
          connected.set(told.name, { told, client, transport, schemas });
          await offer(told.name, { tools });
        } catch (error) {
          transport.kill();
          if (connected.has(told.name)) throw error;
          const { code, text } = failureOf(error, transport, CONNECT_MS);
          await offer(told.name, { failed: { code: code ?? "mcp_server_ended", message: text } });
        }
      }),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async call(server, tool, given) {
      const found = connected.get(server);
      if (found === undefined) return { ok: false, text: `there is no server ${server}` };
      return await callTool(found, tool, given);
    },
    close,
  };
}

function transportTo(told: ServerTold, secrets: ReadonlyMap<string, string>): StdioTransport {
  const { command, arguments: given, directory, environment } = told;
  const held = Object.entries(told.secrets).map(([name, place]) => [name, secrets.get(place) ?? ""]);
  return new StdioTransport({
    command,
    arguments: given,
    environment: { ...serverEnvironment(process.env), ...environment, ...Object.fromEntries(held) },
    ...(directory === null ? {} : { directory: join(process.cwd(), directory) }),
    stderr: "inherit",
    messageBytes: MESSAGE,
  });
}

async function connect(
  told: ServerTold,
  transport: StdioTransport,
): Promise<{ client: Client; tools: JsonObject[] }> {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const client = new Client({ name: "lightflow", version: VERSION });
  const options = { timeout: CONNECT_MS, maxTotalTimeout: CONNECT_MS };
  await client.connect(transport, options);
  const tools: JsonObject[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page++) {
    const listed = await client.listTools(cursor === undefined ? {} : { cursor }, options);
    for (const { name, description, inputSchema } of listed.tools)
      if (told.tools.includes(name))
        tools.push({
          name,
          description: description ?? "",
          inputSchema: inputSchema as unknown as JsonObject,
        });
    cursor = listed.nextCursor;
    if (cursor === undefined) break;
  }
  return { client, tools };
}

/** Servers name the dialect that their library writes: what they write in it means the same here. */
function argumentsOf({ inputSchema }: JsonObject): JsonObject {
  const { $schema: _, ...schema } = inputSchema as JsonObject;
  return schema;
}

async function callTool(
  { told, client, transport, schemas }: Connected,
  tool: string,
  given: JsonObject,
): Promise<ServerDone> {
  const schema = schemas.get(tool);
  if (schema === undefined) return { ok: false, text: `there is no tool ${tool}` };
  try {
    const problem = validatesAgainst(schema, given);
    if (problem !== null) return { ok: false, text: `the arguments do not fit the tool: ${problem}` };
    const options = { timeout: told.timeoutMs, maxTotalTimeout: told.timeoutMs };
    const result = await client.callTool({ name: tool, arguments: given }, undefined, options);
    const text = shortened(shown(result as JsonObject));
    return result.isError === true ? { ok: false, text: `failed: ${text}` } : { ok: true, text };
  } catch (error) {
    const { code, text } = failureOf(error, transport, told.timeoutMs);
    return { ok: false, text: `failed: ${text}`, ...(code === undefined ? {} : { code }) };
  }
}

const REQUEST_TIMEOUT = -32001;

function failureOf(
  error: unknown,
  { failure }: StdioTransport,
  timeoutMs: number,
): { code?: string; text: string } {
  if (failure !== null)
    return { text: failure.detail, ...(failure.code === undefined ? {} : { code: failure.code }) };
  if ((error as { code?: unknown }).code === REQUEST_TIMEOUT)
    return { code: "mcp_timeout", text: `the MCP server took longer than ${timeoutMs} ms` };
  return { text: (error as Error).message.slice(0, 1024) };
}

/** What of a result is text; of anything else, that it was there. */
function shown({ content, structuredContent }: JsonObject): string {
  const parts = Array.isArray(content) ? content : [];
  if (parts.length === 0 && structuredContent !== undefined) return JSON.stringify(structuredContent);
  return parts.map((part) => partOf(isObject(part) ? (part as JsonObject) : {})).join("\n");
}

function partOf({ type, text, mimeType, data, resource, uri }: JsonObject): string {
  if (typeof text === "string") return text;
  if (typeof data === "string") return `[${String(type)} ${String(mimeType)}, ${data.length} characters]`;
  if (!isObject(resource)) return `[${String(type)} ${String(uri ?? "")}]`;
  const { text: inner, uri: place } = resource as JsonObject;
  return typeof inner === "string" ? inner : `[resource ${String(place)}]`;
}
