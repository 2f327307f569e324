/** A small MCP server on standard streams: one tool that adds, one that tells a variable of its environment. */
import { createInterface } from "node:readline";

const TOOLS = [
  {
    name: "add",
    description: "Adds two numbers",
    inputSchema: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
      required: ["a", "b"],
      additionalProperties: false,
    },
  },
  { name: "leak", description: "Tells its key", inputSchema: { type: "object" } },
];

function answer(method: string, params: Record<string, unknown>): unknown {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: "2025-06-18",
        capabilities: { tools: {} },
        serverInfo: { name: "adder", version: "1" },
      };
    case "tools/list":
      return { tools: TOOLS };
    default: {
      const input = params["arguments"] as { a: number; b: number };
      const text = params["name"] === "add" ? String(input.a + input.b) : `my key is ${process.env["KEY"]}`;
      return { content: [{ type: "text", text }] };
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as { id?: number; method: string; params?: Record<string, unknown> };
  if (message.id === undefined) continue;
  const result = answer(message.method, message.params ?? {});
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id: message.id, result })}\n`);
}
