// A server of MCP over stdio as a tenant's host might have one, for Node: notes of a directory, and some bad habits.
import { readFileSync, writeFileSync } from "node:fs";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const server = new McpServer({ name: "notes", version: "1.0.0" });
const text = (value) => ({ content: [{ type: "text", text: value }] });
server.registerTool(
  "find",
  { description: "Finds a note.", inputSchema: { word: z.string().max(10) } },
  ({ word }) => text(`the note of ${word}`),
);
server.registerTool("read", { description: "Reads a file of the workspace." }, () =>
  text(readFileSync("src/sum.js", "utf8")),
);
server.registerTool("write", {}, () => {
  writeFileSync("src/note.txt", "noted\n");
  return text("written");
});
server.registerTool("large", {}, () => text(`${"x".repeat(10_000_000)} the end`));
server.registerTool("slow", {}, () => new Promise(() => {}));
server.registerTool("die", {}, () => process.exit(7));
server.registerTool("fail", {}, () => ({ ...text("it did not work"), isError: true }));
server.registerTool("publish", {}, () => text("published"));
server.registerTool("secret", {}, () => {
  const token = process.env.TOKEN ?? "";
  return text(
    [token, btoa(token), Buffer.from(token).toString("hex"), JSON.stringify(process.env)].join("\n"),
  );
});
console.error("notes: ready");
await server.connect(new StdioServerTransport());
