import { fail } from "../../base/errors.ts";
import { jsonResponse, readJson } from "../../base/http.ts";
import { isObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { closed } from "../../protocol/common.ts";
import { type Call, callOperation, service } from "../../service/index.ts";
import { checkScope } from "../caller.ts";
import { answerDirectly } from "../mcp/direct.ts";
import { createMcpServer, type McpCaller } from "../mcp/server.ts";
import type { GatewayRoute, RouteCall } from "./route.ts";

/** Whether a message asks for notifications while it is worked on: those need a stream. */
function asksForProgress(message: unknown): boolean {
  const params = isObject(message) ? message["params"] : undefined;
  const meta = isObject(params) ? params["_meta"] : undefined;
  return isObject(meta) && meta["progressToken"] !== undefined;
}

type Transports = typeof import("@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js");
let transports: Promise<Transports> | undefined;

/**
 * One message of the streamable HTTP transport. No session is kept: each request stands for itself, so that it may come to
 * any process and survives a restart of all of them.
 */
async function message({ context, request, parts }: RouteCall): Promise<Response> {
  const body = await readJson(request, LIMITS.gatewayBodyBytes);
  const caller: McpCaller = {
    call: ((name, input, signal) => {
      const operation = service[name];
      // What only reads is done before a signal could be heard, and making one costs as much.
      const waits = operation.method !== "GET" || (isObject(input) && "wait_ms" in input);
      const until = waits ? AbortSignal.any([signal ?? request.signal, parts.stopping]) : undefined;
      return callOperation(operation as never, context, input, until);
    }) as Call,
    allow: (operation) => checkScope(context.principal, operation),
  };
  const direct = await answerDirectly(caller, request, body);
  if (direct !== null) return direct;
  const messages = Array.isArray(body) ? body : [body];
  transports ??= import("@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js");
  const { WebStandardStreamableHTTPServerTransport } = await transports;
  const transport = new WebStandardStreamableHTTPServerTransport({
    enableJsonResponse: !messages.some(asksForProgress),
  });
  const server = await createMcpServer(caller);
  // The SDK types its own transport less strictly than its interface under exactOptionalPropertyTypes.
  await server.connect(transport as never);
  return await transport.handleRequest(request, { parsedBody: body });
}

export const mcpRoutes: readonly GatewayRoute[] = [
  {
    id: "mcp",
    name: "mcp",
    scope: "read",
    summary: "Model Context Protocol, streamable HTTP: one JSON-RPC message",
    method: "POST",
    path: "/mcp",
    input: closed({}),
    takes: "application/json",
    answers: [
      { status: 200, about: "The answer, as JSON or as an event stream with progress before it" },
      { status: 202, about: "A notification was taken" },
    ],
    handle: message,
  },
  {
    id: "getMcp",
    name: "mcp.info",
    scope: "public",
    summary: "Where the Model Context Protocol is spoken; there is no stream without a request",
    method: "GET",
    path: "/mcp",
    input: closed({}),
    answers: [{ status: 200, about: "The endpoint" }],
    handle({ request }) {
      if (request.headers.get("accept")?.includes("text/event-stream")) {
        throw fail("method_not_allowed", "this endpoint sends nothing by itself", { hint: "POST a message" });
      }
      return jsonResponse({
        endpoint: "LightFlow MCP",
        transport: "streamable-http",
        method: "POST",
        path: "/mcp",
      });
    },
  },
];
