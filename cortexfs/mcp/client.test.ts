import { afterAll, afterEach, expect, test } from "bun:test";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { Failure } from "../../src/base/errors.ts";
import { callMcpTool, closeMcpConnections, listMcpTools } from "./client.ts";
import type { McpServer } from "./server.ts";

const KEY = "hidden-key-7d1f";
const env = { CORTEXFS_TEST_KEY: KEY };
const signal = () => AbortSignal.timeout(10_000);

/** The SDK's own server: two pages of tools, one that adds, one that says what it should not, one that is slow. */
function toolServer(): Server {
  const server = new Server({ name: "adder", version: "1" }, { capabilities: { tools: {} } });
  const tool = (name: string) => ({ name, inputSchema: { type: "object" as const } });
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) =>
    params?.cursor === undefined
      ? { tools: [{ ...tool("add"), description: "Adds two numbers" }], nextCursor: "2" }
      : { tools: [tool("leak")] },
  );
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const { a, b } = (params.arguments ?? {}) as { a: number; b: number };
    const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });
    if (params.name === "add") return text(String(a + b));
    if (params.name === "leak") return text(`the key is ${KEY}`);
    if (params.name === "large") return text("x".repeat(5 << 20));
    if (params.name === "slow") await Bun.sleep(2000);
    throw new Error(`no tool ${params.name}`);
  });
  return server;
}

let seenKeys: (string | null)[] = [];
const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
const http = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  async fetch(request) {
    const path = new URL(request.url).pathname;
    seenKeys.push(request.headers.get("authorization"));
    if (path === "/closed") return new Response("no", { status: 401 });
    if (path === "/elsewhere") return Response.redirect("/json");
    const id = request.headers.get("mcp-session-id");
    if (id !== null) {
      const known = sessions.get(id);
      return known === undefined ? new Response("", { status: 404 }) : await known.handleRequest(request);
    }
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      enableJsonResponse: path === "/json",
      onsessioninitialized: (session) => void sessions.set(session, transport),
    });
    await toolServer().connect(transport);
    return await transport.handleRequest(request);
  },
});
afterAll(() => http.stop(true));
afterEach(closeMcpConnections);

const at = (path: string, more: Partial<McpServer> = {}): McpServer => ({
  id: "adder",
  transport: "http",
  command: [],
  url: `http://127.0.0.1:${http.port}${path}`,
  keyReference: "env:CORTEXFS_TEST_KEY",
  env: [],
  ...more,
});

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Failure);
  return error as Failure;
}

for (const path of ["/stream", "/json"]) {
  test(`all pages of tools are listed and called over HTTP, answers as in ${path}`, async () => {
    seenKeys = [];
    const tools = await listMcpTools(at(path), env, signal());
    expect(tools.map(({ name, description }) => [name, description])).toEqual([
      ["add", "Adds two numbers"],
      ["leak", ""],
    ]);
    expect(await callMcpTool(at(path), "add", { a: 2, b: 3 }, env, signal())).toEqual({
      content: [{ type: "text", text: "5" }],
    });
    expect(new Set(seenKeys)).toEqual(new Set([`Bearer ${KEY}`]));
  });

  test(`the key is taken out of what the server says, answers as in ${path}`, async () => {
    const leak = await callMcpTool(at(path), "leak", {}, env, signal());
    expect(leak).toEqual({ content: [{ type: "text", text: "the key is [redacted]" }] });
  });
}

test("a server that was started again gets a new session with the next call", async () => {
  await listMcpTools(at("/stream"), env, signal());
  sessions.clear();
  expect((await failureOf(callMcpTool(at("/stream"), "add", { a: 1, b: 1 }, env, signal()))).code).toBe(
    "unavailable",
  );
  expect(await callMcpTool(at("/stream"), "add", { a: 1, b: 1 }, env, signal())).toMatchObject({
    content: [{ text: "2" }],
  });
});

test("refusals, missing servers, redirects and oversize answers are named, without the key", async () => {
  const expected: [McpServer, string, string][] = [
    [at("/stream"), "none", "command_failed"],
    [at("/closed"), "add", "unavailable"],
    [at("/elsewhere"), "add", "unavailable"],
    [at("/", { url: "http://127.0.0.1:1/" }), "add", "unavailable"],
    [at("/json"), "large", "unavailable"],
  ];
  for (const [server, tool, code] of expected) {
    const failure = await failureOf(callMcpTool(server, tool, { a: 1, b: 1 }, env, signal()));
    expect([server.url, failure.code]).toEqual([server.url, code as never]);
    expect(failure.message).not.toContain(KEY);
  }
});

test("a call that is cancelled does not wait for its server", async () => {
  const stop = new AbortController();
  const call = failureOf(callMcpTool(at("/stream"), "slow", {}, env, stop.signal));
  setTimeout(() => stop.abort(), 50);
  await call;
  expect(await callMcpTool(at("/stream"), "add", { a: 1, b: 1 }, env, signal())).toMatchObject({
    content: [{ text: "2" }],
  });
});
