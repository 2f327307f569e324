import type { ServerOptions } from "@modelcontextprotocol/sdk/server/index.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { LIMITS } from "../../base/limits.ts";

/** A server of the SDK with one of everything that `call: mcp` can ask for. */
export function testMcpServer(options: ServerOptions = {}): McpServer {
  const server = new McpServer({ name: "test", version: "1.0.0" }, options);
  server.registerTool("add", { description: "adds one" }, () => ({
    content: [{ type: "text", text: "added" }],
  }));
  server.registerTool("fail", {}, () => ({ isError: true, content: [{ type: "text", text: "no" }] }));
  server.registerTool("sleep", {}, async () => {
    await Bun.sleep(60_000);
    return { content: [] };
  });
  server.registerTool("large", {}, () => ({
    content: [{ type: "text", text: "x".repeat(LIMITS.callResponseBytes + 1) }],
  }));
  server.registerTool("environment", {}, () => ({
    content: [{ type: "text", text: JSON.stringify(process.env) }],
  }));
  server.registerTool("exit", {}, () => process.exit(3));
  server.registerPrompt("greet", {}, () => ({
    messages: [{ role: "user", content: { type: "text", text: "hello" } }],
  }));
  server.registerResource("note", "note://one", {}, () => ({
    contents: [{ uri: "note://one", text: "text" }],
  }));
  return server;
}
