import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/**
 * A server of MCP over standard streams, for tests: started with the name of a file that it appends to, so that a test
 * sees how often a tool was really called. The second argument goes before the name of each tool, the third behind its description.
 */
const [journal = "", prefix = "", about = ""] = process.argv.slice(2);
const OBJECT = { type: "object", properties: {} };
const tool = (name: string, annotations = {}) => ({
  name: `${prefix}${name}`,
  description: `${name} ${about}`.trim(),
  inputSchema: OBJECT,
  annotations,
});
const TOOLS = [
  tool("look", { readOnlyHint: true }),
  tool("write"),
  tool("notes.write"),
  tool("notes__write"),
  tool("wait"),
  tool("peek", { readOnlyHint: true }),
  tool("big"),
  tool("endless"),
  tool("die"),
];

const say = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const calls = () => (existsSync(journal) ? readFileSync(journal, "utf8") : "");

async function call(name: string): Promise<string> {
  appendFileSync(journal, `${name}\n`);
  // Held until a file beside the journal says otherwise; a killed service leaves nobody to answer.
  if (name === "wait" || name === "peek") while (!existsSync(`${journal}.go`)) await Bun.sleep(20);
  if (name === "big") return "x".repeat(10 * 1024 * 1024);
  if (name === "endless") for (;;) process.stdout.write("x".repeat(1024 * 1024));
  if (name === "die") process.exit(3);
  return `${name} was called ${calls().split("\n").length - 1} times`;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (method === "initialize") {
    const { protocolVersion } = params;
    const serverInfo = { name: "tools", version: "1.0.0" };
    say({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo } });
  } else if (method === "tools/list") say({ id, result: { tools: TOOLS } });
  else if (method === "tools/call") {
    const name = String(params.name).slice(prefix.length);
    void call(name).then((text) => say({ id, result: { content: [{ type: "text", text }] } }));
  }
}
