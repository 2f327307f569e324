import { fail } from "../../../src/base/errors.ts";
import type { Json, JsonObject } from "../../../src/base/json.ts";
import type { Environment } from "../../../src/base/xdg.ts";
import { callMcpTool } from "../../mcp/client.ts";
import type { McpServer } from "../../mcp/server.ts";
import { readConfinedFile } from "./filesystem-read.ts";
import { runShell } from "./shell-exec.ts";

/** A tool run, on behalf of a caller whose rights decide. */
export interface ToolCall {
  readonly tool: string;
  readonly input: JsonObject;
  readonly uid: number;
  readonly gid: number;
  readonly timeoutMs: number;
  /** For `filesystem.read`: the directory that confines it. */
  readonly root?: string;
  /** For tools of an MCP server. */
  readonly server?: McpServer;
}

export async function runTool(call: ToolCall, env: Environment, signal: AbortSignal): Promise<Json> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(call.timeoutMs)]);
  if (call.server !== undefined) return callMcpTool(call.server, call.tool, call.input, env, limited);
  switch (call.tool) {
    case "filesystem.read":
      return readConfinedFile(call.root ?? "", String(call.input["path"]), call.uid);
    case "shell.exec":
      return runShell(call, limited);
    default:
      throw fail("not_found", `no such tool: ${call.tool}`);
  }
}
