import { type Static, Type } from "@sinclair/typebox";
import { fits } from "../../base/fits.ts";
import { isObject } from "../../base/json.ts";
import { closed } from "../../protocol/common.ts";
import { ABILITIES, callTool, listedTools, loadSdk, type McpCaller, SERVER_INFO } from "./server.ts";
import { type Tool, tools } from "./tools.ts";

/**
 * The messages that a session is made of, `initialize`, `tools/list` and `tools/call`, answered without a server of the SDK:
 * with no session one is built for each message, and with its checks costs several times what the call does. Whatever is
 * not exactly their plain form is left to the SDK, so that every refusal is its own.
 * @param body the parsed message
 * @returns null for what the SDK answers
 */
export async function answerDirectly(
  caller: McpCaller,
  { headers }: Request,
  body: unknown,
): Promise<Response | null> {
  const message = plainMessage(body);
  if (message === null || !(await isPlain(headers))) return null;
  const { id, method, params } = message;
  if (method === "tools/list") {
    return Object.keys(params).length === 0 ? respond(id, listText()) : null;
  }
  if (method === "initialize") {
    return fits(PlainGreeting, params) ? respond(id, await greetingText(params)) : null;
  }
  const tool = method === "tools/call" ? plainlyCalled(params) : undefined;
  if (tool === undefined) return null;
  const given = (params["arguments"] ?? {}) as Record<string, unknown>;
  return respond(id, resultText(await callTool(caller, tool, given, undefined)));
}

/** What clients say of themselves, as long as it is nothing that needs to be looked at more closely. */
const PlainGreeting = closed({
  protocolVersion: Type.String(),
  capabilities: closed({
    roots: Type.Optional(closed({ listChanged: Type.Optional(Type.Boolean()) })),
    sampling: Type.Optional(closed({})),
    elicitation: Type.Optional(closed({})),
  }),
  clientInfo: closed({ name: Type.String(), version: Type.String(), title: Type.Optional(Type.String()) }),
});

async function greetingText({ protocolVersion }: Static<typeof PlainGreeting>): Promise<string> {
  const { SUPPORTED_PROTOCOL_VERSIONS: known, LATEST_PROTOCOL_VERSION: latest } = (await loadSdk()).types;
  return JSON.stringify({
    protocolVersion: known.includes(protocolVersion) ? protocolVersion : latest,
    ...ABILITIES,
    serverInfo: SERVER_INFO,
  });
}

interface PlainMessage {
  readonly id: string | number;
  readonly method: unknown;
  readonly params: Record<string, unknown>;
}

function plainMessage(body: unknown): PlainMessage | null {
  if (!isObject(body)) return null;
  const { jsonrpc, id, method, params = {}, ...rest } = body as Record<string, unknown>;
  if (jsonrpc !== "2.0" || !isObject(params) || Object.keys(rest).length > 0) return null;
  if (typeof id !== "string" && !Number.isSafeInteger(id)) return null;
  return { id: id as string | number, method, params: params as Record<string, unknown> };
}

/** What the transport would take without a word. */
async function isPlain(headers: Headers): Promise<boolean> {
  const accept = headers.get("accept") ?? "";
  if (headers.get("content-type") !== "application/json") return false;
  if (!accept.includes("application/json") || !accept.includes("text/event-stream")) return false;
  const version = headers.get("mcp-protocol-version");
  return version === null || (await loadSdk()).types.SUPPORTED_PROTOCOL_VERSIONS.includes(version);
}

/** The tool of a call that asks for nothing else, such as progress, and whose output is an object in any case. */
function plainlyCalled(params: Record<string, unknown>): Tool | undefined {
  const { name, arguments: given, ...rest } = params;
  if (typeof name !== "string" || Object.keys(rest).length > 0) return undefined;
  if (given !== undefined && !isObject(given)) return undefined;
  const tool = tools().byName.get(name);
  return tool?.listed.outputSchema === undefined ? undefined : tool;
}

/** As `JSON.stringify` gives it; the output, which stands in it as a text and as it is, is written once. */
function resultText(result: Awaited<ReturnType<typeof callTool>>): string {
  if (!("structuredContent" in result)) return JSON.stringify(result);
  const { text } = result.content[0]!;
  return `{"content":[{"type":"text","text":${JSON.stringify(text)}}],"structuredContent":${text}}`;
}

let list: string | undefined;

function listText(): string {
  list ??= JSON.stringify({ tools: listedTools() });
  return list;
}

const respond = (id: string | number, result: string): Response =>
  new Response(`{"result":${result},"jsonrpc":"2.0","id":${JSON.stringify(id)}}`, {
    headers: { "content-type": "application/json" },
  });
