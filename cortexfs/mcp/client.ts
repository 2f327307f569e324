import { fail } from "../../src/base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../src/base/json.ts";
import type { Environment } from "../../src/base/xdg.ts";
import { redact } from "../providers/redact.ts";
import { resolveSecret } from "../providers/secret.ts";
import { EventParser } from "../providers/sse.ts";

/** How to reach a server of the Model Context Protocol. */
export interface McpServer {
  readonly id: string;
  readonly transport: "stdio" | "http";
  /** For stdio: the program and its arguments. */
  readonly command: readonly string[];
  /** For HTTP: the endpoint. */
  readonly url: string;
  /** A reference to the bearer token (HTTP), never the token. */
  readonly keyReference: string | undefined;
  /** For stdio: variables of the child, each `NAME=value` or `NAME=env:OTHER` by reference. */
  readonly env: readonly string[];
}

export interface McpTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
}

const PROTOCOL = "2025-06-18";
const CLIENT = { name: "cortexfs", version: "0.1.0" };
const MAX_MESSAGE = 4 << 20;

interface Connection {
  request(method: string, params: JsonObject, signal: AbortSignal): Promise<JsonObject>;
  close(): void;
  readonly closed: boolean;
}

const connections = new Map<string, { signature: string; connection: Promise<Connection> }>();

/** A connection to the server, kept between calls and made anew when its configuration changed or it ended. */
async function connect(server: McpServer, env: Environment): Promise<Connection> {
  const signature = JSON.stringify(server);
  const known = connections.get(server.id);
  if (known !== undefined) {
    const connection = await known.connection.catch(() => undefined);
    if (known.signature === signature && connection !== undefined && !connection.closed) return connection;
    connection?.close();
  }
  const connection = server.transport === "stdio" ? openStdio(server, env) : openHttp(server, env);
  connections.set(server.id, { signature, connection });
  return connection;
}

export function closeMcpConnections(): void {
  for (const { connection } of connections.values()) connection.then((open) => open.close()).catch(() => {});
  connections.clear();
}

export async function listMcpTools(
  server: McpServer,
  env: Environment,
  signal: AbortSignal,
): Promise<McpTool[]> {
  const connection = await connect(server, env);
  const tools: McpTool[] = [];
  let cursor: string | undefined;
  do {
    const page = await connection.request("tools/list", cursor === undefined ? {} : { cursor }, signal);
    for (const tool of Array.isArray(page["tools"]) ? page["tools"] : []) {
      if (!isObject(tool) || typeof tool["name"] !== "string") continue;
      tools.push({
        name: tool["name"],
        description: typeof tool["description"] === "string" ? tool["description"] : "",
        inputSchema: isObject(tool["inputSchema"]) ? (tool["inputSchema"] as JsonObject) : { type: "object" },
      });
    }
    cursor = typeof page["nextCursor"] === "string" ? page["nextCursor"] : undefined;
  } while (cursor !== undefined && tools.length < 1000);
  return tools;
}

export async function callMcpTool(
  server: McpServer,
  tool: string,
  input: JsonObject,
  env: Environment,
  signal: AbortSignal,
): Promise<Json> {
  const connection = await connect(server, env);
  return connection.request("tools/call", { name: tool, arguments: input }, signal);
}

const initialize = (connection: Connection): Promise<JsonObject> =>
  connection.request(
    "initialize",
    { protocolVersion: PROTOCOL, capabilities: {}, clientInfo: CLIENT },
    AbortSignal.timeout(15_000),
  );

function answerOf(message: Record<string, unknown>): JsonObject {
  if (isObject(message["error"])) {
    throw fail("command_failed", `the MCP server refused: ${String(message["error"]["message"] ?? "")}`, {
      details: { code: message["error"]["code"] },
    });
  }
  return isObject(message["result"]) ? (message["result"] as JsonObject) : {};
}

/** JSON-RPC messages, one a line, over a child's standard streams. */
async function openStdio(server: McpServer, env: Environment): Promise<Connection> {
  const childEnv: Record<string, string> = { PATH: env["PATH"] ?? "/usr/bin:/bin", HOME: env["HOME"] ?? "/" };
  const secrets: string[] = [];
  for (const line of server.env) {
    const at = line.indexOf("=");
    const value = line.slice(at + 1);
    const isReference = /^(env|file|systemd-creds):/.test(value);
    childEnv[line.slice(0, at)] = isReference ? await resolveSecret(value, env) : value;
    if (isReference) secrets.push(childEnv[line.slice(0, at)]!);
  }
  let child: Bun.Subprocess<"pipe", "pipe", "ignore">;
  try {
    child = Bun.spawn([...server.command], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
      env: childEnv,
      cwd: "/",
    });
  } catch (error) {
    throw fail("unavailable", `cannot start the MCP server ${server.id}`, { cause: error });
  }
  const waiting = new Map<
    number,
    { resolve: (value: JsonObject) => void; reject: (error: unknown) => void }
  >();
  let next = 1;
  let closed = false;
  const end = (): void => {
    closed = true;
    for (const { reject } of waiting.values())
      reject(fail("unavailable", `the MCP server ${server.id} ended`));
    waiting.clear();
  };
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of child.stdout) {
      rest += decoder.decode(chunk, { stream: true });
      if (rest.length > MAX_MESSAGE) return child.kill();
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        let message: unknown;
        try {
          message = JSON.parse(redact(line, secrets));
        } catch {
          continue;
        }
        if (!isObject(message) || typeof message["id"] !== "number") continue;
        const waiter = waiting.get(message["id"]);
        waiting.delete(message["id"]);
        try {
          waiter?.resolve(answerOf(message));
        } catch (error) {
          waiter?.reject(error);
        }
      }
    }
  };
  read().then(end, end);
  const connection: Connection = {
    get closed() {
      return closed;
    },
    close: () => child.kill(),
    request(method, params, signal) {
      if (closed) return Promise.reject(fail("unavailable", `the MCP server ${server.id} ended`));
      const id = next++;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        signal.addEventListener("abort", () => {
          if (waiting.delete(id)) reject(fail("execution_timeout", `${server.id} did not answer ${method}`));
        });
        child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
        child.stdin.flush();
      });
    },
  };
  await initialize(connection);
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
  child.stdin.flush();
  return connection;
}

/** Streamable HTTP: each message a POST, the answer as JSON or as an event stream. */
async function openHttp(server: McpServer, env: Environment): Promise<Connection> {
  let session: string | undefined;
  let next = 1;
  const send = async (message: JsonObject, signal: AbortSignal): Promise<JsonObject> => {
    const secret =
      server.keyReference === undefined ? undefined : await resolveSecret(server.keyReference, env);
    const response = await fetch(server.url, {
      method: "POST",
      redirect: "error",
      signal,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": PROTOCOL,
        ...(session === undefined ? {} : { "mcp-session-id": session }),
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      },
      body: JSON.stringify(message),
    }).catch((error: unknown) => {
      throw fail("unavailable", `the MCP server ${server.id} cannot be reached`, { cause: error });
    });
    if (!response.ok) throw fail("unavailable", `the MCP server ${server.id} answered ${response.status}`);
    session = response.headers.get("mcp-session-id") ?? session;
    if (message["id"] === undefined) return {};
    const secrets = secret === undefined ? [] : [secret];
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
      return answerOf(JSON.parse(redact(await response.text(), secrets)) as Record<string, unknown>);
    }
    const parser = new EventParser();
    for await (const chunk of response.body ?? []) {
      for (const event of parser.push(chunk)) {
        const data: unknown = JSON.parse(redact(event.data, secrets));
        if (isObject(data) && data["id"] === message["id"]) return answerOf(data);
      }
    }
    throw fail("unavailable", `the MCP server ${server.id} ended its answer early`);
  };
  const connection: Connection = {
    closed: false,
    close() {},
    request: (method, params, signal) => send({ jsonrpc: "2.0", id: next++, method, params }, signal),
  };
  await initialize(connection);
  await send({ jsonrpc: "2.0", method: "notifications/initialized" }, AbortSignal.timeout(15_000));
  return connection;
}
