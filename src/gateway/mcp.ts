export { createMcpServer, type McpCaller } from "./mcp/server.ts";
