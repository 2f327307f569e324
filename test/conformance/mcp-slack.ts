import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

// The one tool that the example calls, in the place of the server that `npx` would bring.
const server = new McpServer({ name: "slack", version: "1.0.0" });
server.registerTool("conversations_add_message", {}, () => ({ content: [{ type: "text", text: "sent" }] }));
await server.connect(new StdioServerTransport());
