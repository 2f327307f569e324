import type { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { Type } from "@sinclair/typebox";
import { fail, toFailure, toProblem } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { VERSION } from "../../base/version.ts";
import { validate } from "../../protocol/validate.ts";
import { type Call, isFinished, RunId, type ServiceOperation } from "../../service/index.ts";
import { readResource, resources, templates } from "./resources.ts";
import { type Tool, tools, WATCH_TOOL } from "./tools.ts";

/** On whose behalf a client of MCP acts. */
export interface McpCaller {
  readonly call: Call;
  /** @throws Failure `forbidden` where the credential does not allow the operation */
  allow(operation: Pick<ServiceOperation, "name" | "scope">): void;
}

const INSTRUCTIONS =
  "LightFlow runs workflows that are TypeScript files under lightflow/. List and check assets, preview and start runs, " +
  "watch them, and read their events, logs and artifacts. `lightflow skill` prints how to author one.";

/** Who answers, and what a client may ask for: the same for each. */
export const SERVER_INFO = { name: "lightflow", version: VERSION };
export const ABILITIES = { capabilities: { tools: {}, resources: {} }, instructions: INSTRUCTIONS };

const WATCH_INPUT = Type.Object(
  {
    run_id: RunId,
    after: Type.Optional(Type.Integer({ minimum: 0 })),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
  },
  { additionalProperties: false },
);

/** A piece of a watch: long enough to be rare, short enough to notice that the client has gone. */
const WATCH_WAIT_MS = 10_000;

const text = (value: unknown) => [{ type: "text" as const, text: JSON.stringify(value) }];

type Progress = (event: { seq: number; event: string; step_id: string | null }) => Promise<void>;

async function watch(call: Call, input: Record<string, unknown>, signal: AbortSignal, progress: Progress) {
  const {
    run_id,
    after = 0,
    timeout_ms = 60_000,
  } = input as {
    run_id: string;
    after?: number;
    timeout_ms?: number;
  };
  const end = performance.now() + timeout_ms;
  for (let position = after; ; ) {
    const left = Math.floor(end - performance.now());
    const page = await call(
      "getEvents",
      { run_id, after: position, wait_ms: Math.max(0, Math.min(left, WATCH_WAIT_MS)) },
      signal,
    );
    for (const event of page.events) await progress(event);
    position = page.events.at(-1)?.seq ?? position;
    const run = await call("getRun", { run_id });
    if ((isFinished(run.status) && page.events.length === 0) || left <= 0 || signal.aborted) {
      return { ...run, last_seq: position };
    }
  }
}

/** What every server is made of, loaded once: with no session each message has a server of its own. */
let loaded: ReturnType<typeof load> | undefined;

async function load() {
  const [{ Server }, types, { AjvJsonSchemaValidator }] = await Promise.all([
    import("@modelcontextprotocol/sdk/server/index.js"),
    import("@modelcontextprotocol/sdk/types.js"),
    import("@modelcontextprotocol/sdk/validation/ajv"),
  ]);
  return { Server, types, jsonSchemaValidator: new AjvJsonSchemaValidator() };
}

/** The SDK, loaded once. */
export function loadSdk(): ReturnType<typeof load> {
  loaded ??= load();
  return loaded;
}

/** As `tools/list` gives them. */
export const listedTools = () => [...tools().listed.map(({ listed }) => listed), WATCH_TOOL];

/** One call of a tool as the result of `tools/call`; a refusal is a result too. */
export async function callTool(
  caller: McpCaller,
  tool: Tool,
  given: Record<string, unknown>,
  signal: AbortSignal | undefined,
) {
  try {
    caller.allow(tool.operation);
    for (const name of Object.keys(tool.fixed)) {
      if (name in given) throw fail("invalid_request", `/${name}: unknown field`);
    }
    const output = await caller.call(tool.key, { ...given, ...tool.fixed }, signal);
    return { content: text(output), structuredContent: output as never };
  } catch (error) {
    return refusal(error);
  }
}

const refusal = (error: unknown) => ({ content: text(toProblem(toFailure(error))), isError: true });

/** A server of the Model Context Protocol over the service; the caller connects it to a transport. */
export async function createMcpServer(caller: McpCaller): Promise<Server> {
  const { Server, types, jsonSchemaValidator } = await loadSdk();
  const server = new Server(SERVER_INFO, { ...ABILITIES, jsonSchemaValidator });
  server.setRequestHandler(types.ListToolsRequestSchema, () => ({
    tools: listedTools() as never,
  }));
  server.setRequestHandler(types.CallToolRequestSchema, async ({ params }, extra) => {
    const given = params.arguments ?? {};
    if (params.name === WATCH_TOOL.name) {
      try {
        caller.allow({ name: WATCH_TOOL.title, scope: "read" });
        const token = params._meta?.progressToken;
        const progress: Progress = async ({ seq, event, step_id }) => {
          if (token === undefined) return;
          const message = step_id === null ? event : `${event} ${step_id}`;
          const notice = { progressToken: token, progress: seq, message };
          await extra.sendNotification({ method: "notifications/progress", params: notice });
        };
        const input = validate(WATCH_INPUT, given) as Record<string, unknown>;
        const seen = await watch(caller.call, input, extra.signal, progress);
        return { content: text(seen), structuredContent: seen as never };
      } catch (error) {
        return refusal(error);
      }
    }
    const tool = tools().byName.get(params.name);
    if (tool === undefined) {
      const near = nearest(params.name, [...tools().byName.keys(), WATCH_TOOL.name]);
      const meant = near === undefined ? "" : `; did you mean ${near}?`;
      throw new types.McpError(types.ErrorCode.InvalidParams, `unknown tool: ${params.name}${meant}`);
    }
    return await callTool(caller, tool, given, extra.signal);
  });
  server.setRequestHandler(types.ListResourcesRequestSchema, () => ({
    resources: resources().map(({ uri, name, description }) => ({
      uri,
      name,
      description,
      mimeType: "application/json",
    })),
  }));
  server.setRequestHandler(types.ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: templates(),
  }));
  server.setRequestHandler(types.ReadResourceRequestSchema, async ({ params: { uri } }) => {
    try {
      caller.allow({ name: uri, scope: "read" });
      const value = await readResource(caller.call, uri);
      return { contents: [{ uri, mimeType: "application/json", text: JSON.stringify(value) }] };
    } catch (error) {
      const failure = toFailure(error);
      // -32002 is "resource not found" in the specification.
      const code = failure.status === 404 ? -32002 : failure.status < 500 ? -32602 : -32603;
      throw new types.McpError(code, failure.message, toProblem(failure));
    }
  });
  return server;
}
