import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { childEnvironment } from "../../base/child-env.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { VERSION } from "../../base/version.ts";
import { type Duration, durationMs } from "../../workflow/index.ts";
import { credentialsFor } from "../authentication/credentials.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { checkDestination } from "../destination/check.ts";
import { CallError, callError } from "../error.ts";
import { addressOf, headersFrom, readEndpoint, textArgument } from "../http/arguments.ts";
import { rpcError } from "../json-rpc-error.ts";
import { type McpPhase, mcpFetch } from "./http-transport.ts";
import { StdioTransport } from "./stdio-transport.ts";

const METHODS = new Set([
  "tools/list",
  "tools/call",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/read",
  "resources/templates/list",
]);

/** What the DSL proposes where the document names none; the server may answer with another one. */
const PROTOCOL_VERSION = "2025-06-18";

/**
 * `call: mcp` (DSL reference, "MCP Call"): initialize, one request, good-bye. The output is the result as the server
 * gave it; a tool's own failure (`isError`) is a result too, for the document to look at.
 */
export async function callMcp(request: CallRequest, scope: CallScope): Promise<Json> {
  const args = request.with;
  const method = textArgument(args, "method");
  if (!METHODS.has(method))
    throw callError("configuration", `\`${method}\` is not a method of \`call: mcp\``);
  const parameters = parametersOf(args["parameters"]);
  const limit = timeoutOf(args["timeout"]);

  const [{ Client }, { ErrorCode, McpError, ResultSchema }] = await Promise.all([
    import("@modelcontextprotocol/sdk/client/index.js"),
    import("@modelcontextprotocol/sdk/types.js"),
  ]);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const phase: McpPhase = { isEffect: false, asked: null, fail: failed.reject };
  const transport = await openTransport(request, phase, scope);
  propose(
    transport,
    typeof args["protocolVersion"] === "string" ? args["protocolVersion"] : PROTOCOL_VERSION,
  );
  const client = new Client(clientInfo(args["client"]));
  // What the transport met first says more than the client's "connection closed".
  let cause: CallError | undefined;
  client.onerror = (error) => {
    if (error instanceof CallError) cause ??= error;
  };
  const timeout = Math.max(1, Math.min(limit, scope.deadline - scope.clock.monotonic()));
  const options = { signal: scope.signal, timeout, maxTotalTimeout: timeout };
  const stop = () => (transport instanceof StdioTransport ? transport.kill() : undefined);
  scope.signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([client.connect(transport, options), failed.promise]);
    phase.isEffect = method === "tools/call";
    if (phase.isEffect && transport instanceof StdioTransport) scope.sent = "possible";
    const answer = client.request({ method, params: parameters } as never, ResultSchema, options);
    return (await Promise.race([answer, failed.promise])) as Json;
  } catch (error) {
    stop();
    if (error instanceof CallError) throw error;
    if (cause !== undefined) throw cause;
    const end = endOf(transport);
    if (end !== null && !(error instanceof McpError)) throw end;
    if (error instanceof McpError) {
      if (error.code === ErrorCode.RequestTimeout) throw late(timeout, transport);
      if (error.code === ErrorCode.ConnectionClosed)
        throw endOf(transport) ?? callError("communication", "the MCP server ended the connection");
      throw rpcError("the MCP server", error.code, error.message.replace(/^MCP error -?\d+: /, ""));
    }
    throw callError("communication", error instanceof Error ? error.message : "the MCP call failed");
  } finally {
    phase.isEffect = false;
    scope.signal.removeEventListener("abort", stop);
    await leave(transport, scope);
    await client.close().catch(() => {});
  }
}

const endOf = (transport: Transport) => (transport instanceof StdioTransport ? transport.failure : null);

function late(timeout: number, transport: Transport): CallError {
  const noise =
    transport instanceof StdioTransport && transport.isNoisy ? "; it printed what is no message of MCP" : "";
  const detail = `the MCP server took longer than ${Math.round(timeout)} ms${noise}`;
  return callError("timeout", detail, undefined, { code: "mcp_timeout" });
}

function parametersOf(value: Json | undefined): JsonObject {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw callError("configuration", "`parameters` must be an object");
  return value as JsonObject;
}

function timeoutOf(value: Json | undefined): number {
  if (value === undefined || value === null) return Number.MAX_SAFE_INTEGER;
  const limit = durationMs(value as Exclude<Duration, undefined>);
  if (limit === undefined) throw callError("configuration", "`timeout` is not a duration");
  return limit;
}

function clientInfo(value: Json | undefined): { name: string; version: string } {
  const given = isObject(value) ? value : {};
  return {
    name: typeof given["name"] === "string" ? given["name"] : "lightflow",
    version: typeof given["version"] === "string" ? given["version"] : VERSION,
  };
}

/** The client always proposes the newest version that it knows; a document may name another. */
function propose(transport: Transport, protocolVersion: string): void {
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    if (!("method" in message) || message.method !== "initialize") return send(message, options);
    return send({ ...message, params: { ...message.params, protocolVersion } }, options);
  };
}

async function openTransport(request: CallRequest, phase: McpPhase, scope: CallScope): Promise<Transport> {
  const transport = request.with["transport"];
  const http = isObject(transport) ? transport["http"] : undefined;
  const stdio = isObject(transport) ? transport["stdio"] : undefined;
  if (isObject(http) && stdio === undefined) return await overHttp(request, http as JsonObject, phase, scope);
  if (isObject(stdio) && http === undefined) {
    if (!scope.policy.processes)
      throw callError(
        "authorization",
        "the destination policy allows no MCP server that is started on this host",
      );
    return overStdio(stdio as JsonObject, scope);
  }
  throw callError("configuration", "`transport` must be either `http` or `stdio`");
}

async function overHttp(
  request: CallRequest,
  http: JsonObject,
  phase: McpPhase,
  scope: CallScope,
): Promise<Transport> {
  const endpoint = readEndpoint(http["endpoint"], "transport.http.endpoint");
  const url = addressOf(endpoint.uri, request.with["uriVariables"]);
  await checkDestination(url, scope);
  const headers = headersFrom(http["headers"]);
  hide([...headers.values()], scope);
  const credentials = credentialsFor(request.authentication ?? endpoint.authentication, scope);
  const { StreamableHTTPClientTransport } = await import(
    "@modelcontextprotocol/sdk/client/streamableHttp.js"
  );
  return new StreamableHTTPClientTransport(url, {
    fetch: mcpFetch(credentials, phase, scope),
    requestInit: { headers: Object.fromEntries(headers) },
  }) as Transport;
}

function overStdio(stdio: JsonObject, scope: CallScope): StdioTransport {
  const command = textArgument(stdio, "command");
  const list = stdio["arguments"] ?? [];
  if (!Array.isArray(list) || list.some((item) => typeof item === "object"))
    throw callError("configuration", "`arguments` must be a list of texts");
  const given = stdio["environment"] ?? {};
  if (!isObject(given)) throw callError("configuration", "`environment` must be an object");
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === null) continue;
    if (typeof value === "object") throw callError("configuration", `\`environment.${name}\` must be a text`);
    environment[name] = String(value);
  }
  hide(Object.values(environment), scope);
  const { environment: seen, stderr } = scope.programs ?? {
    environment: { PATH: process.env["PATH"] ?? "" },
    stderr: "ignore",
  };
  return new StdioTransport({
    command,
    arguments: list.map(String),
    environment: childEnvironment(seen, environment),
    stderr,
    messageBytes: LIMITS.callResponseBytes,
  });
}

/** Headers and environments often carry a token; short values are ordinary words. */
function hide(values: readonly string[], scope: CallScope): void {
  for (const value of values)
    for (const text of [value, ...value.split(" ")]) if (text.length >= 8) scope.secrets.add(text);
}

/** A session is given back; a server that does not take it is not asked twice. */
async function leave(transport: Transport, scope: CallScope): Promise<void> {
  if (scope.signal.aborted || transport.sessionId === undefined || !("terminateSession" in transport)) return;
  await (transport.terminateSession as () => Promise<void>)().catch(() => {});
}
