import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { testMcpServer } from "./mcp-server.ts";

// Says something that is not MCP first, as many servers do.
console.log("starting up");
await testMcpServer().connect(new StdioServerTransport());
