import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { Failure, fail } from "../../src/base/errors.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { VERSION } from "../../src/base/version.ts";
import type { Environment } from "../../src/base/xdg.ts";
import { redact } from "../providers/redact.ts";
import type { McpServer, McpTool } from "./server.ts";
import { openTransport } from "./transport.ts";

const CONNECT_MS = 15_000;
const TOOLS_MAXIMUM = 1000;

interface Connection {
  readonly client: Client;
  readonly secrets: ReadonlySet<string>;
  isClosed: boolean;
}

const connections = new Map<string, { signature: string; connection: Promise<Connection> }>();

/** A connection to the server, kept between calls and made anew when its configuration changed or it ended. */
async function connect(server: McpServer, env: Environment): Promise<Connection> {
  const signature = JSON.stringify(server);
  const known = connections.get(server.id);
  if (known !== undefined) {
    const connection = await known.connection.catch(() => undefined);
    if (known.signature === signature && connection !== undefined && !connection.isClosed) return connection;
    await connection?.client.close();
  }
  const connection = open(server, env);
  connections.set(server.id, { signature, connection });
  return connection;
}

async function open(server: McpServer, env: Environment): Promise<Connection> {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { transport, secrets } = await openTransport(server, env);
  const client = new Client({ name: "cortexfs", version: VERSION });
  const connection: Connection = { client, secrets, isClosed: false };
  client.onclose = () => {
    connection.isClosed = true;
  };
  try {
    await client.connect(transport, { timeout: CONNECT_MS });
  } catch (error) {
    await client.close();
    throw failureOf(error, server, secrets);
  }
  return connection;
}

export function closeMcpConnections(): void {
  for (const { connection } of connections.values())
    connection.then(({ client }) => client.close()).catch(() => {});
  connections.clear();
}

/** @throws Failure `unavailable` when the server cannot be reached, `command_failed` when it refuses */
export async function listMcpTools(
  server: McpServer,
  env: Environment,
  signal: AbortSignal,
): Promise<McpTool[]> {
  return ask(server, env, async (client) => {
    const tools: McpTool[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.listTools(cursor === undefined ? {} : { cursor }, { signal });
      for (const { name, description, inputSchema } of page.tools)
        tools.push({
          name,
          description: description ?? "",
          inputSchema: inputSchema as unknown as JsonObject,
        });
      cursor = page.nextCursor;
    } while (cursor !== undefined && tools.length < TOOLS_MAXIMUM);
    return tools;
  });
}

/** The result as the server gave it; a tool's own failure (`isError`) is one too. */
export async function callMcpTool(
  server: McpServer,
  tool: string,
  input: JsonObject,
  env: Environment,
  signal: AbortSignal,
): Promise<Json> {
  const { ResultSchema } = await import("@modelcontextprotocol/sdk/types.js");
  return ask(server, env, async (client) => {
    const request = { method: "tools/call", params: { name: tool, arguments: input } } as const;
    return (await client.request(request, ResultSchema, { signal })) as Json;
  });
}

async function ask<Answer>(
  server: McpServer,
  env: Environment,
  work: (client: Client) => Promise<Answer>,
): Promise<Answer> {
  const connection = await connect(server, env);
  const { client, secrets } = connection;
  try {
    const answer = await work(client);
    return secrets.size === 0 ? answer : (JSON.parse(redact(JSON.stringify(answer), [...secrets])) as Answer);
  } catch (error) {
    const failure = failureOf(error, server, secrets);
    // A server that was started again does not know the session: the next call makes a new one.
    if (failure.code === "unavailable") {
      connection.isClosed = true;
      await client.close().catch(() => {});
    }
    throw failure;
  }
}

/** The server's own refusal has a number of JSON-RPC; all else is a broken connection. */
function failureOf(error: unknown, server: McpServer, secrets: ReadonlySet<string>): Failure {
  if (error instanceof Failure) return error;
  const { code, name } = error as { code?: unknown; name?: string };
  const message = redact(error instanceof Error ? error.message : String(error), [...secrets]);
  if (name === "McpError" && code === -32001)
    return fail("execution_timeout", `the MCP server ${server.id} took too long`);
  if (name === "McpError" && code !== -32000)
    return fail("command_failed", `the MCP server ${server.id} refused: ${message}`, { details: { code } });
  return fail("unavailable", `the MCP server ${server.id} cannot be used: ${message}`);
}
