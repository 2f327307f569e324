import type { JsonObject } from "../../../src/base/json.ts";
import type { McpServer, McpTool } from "../../mcp/server.ts";
import { listValues } from "../providers.ts";
import type { Settings } from "../settings.ts";

/** A tool as the tree shows it. */
export interface Tool {
  readonly id: string;
  readonly description: string;
  readonly kind: "builtin" | "mcp";
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject;
  readonly server?: McpServer;
  /** The name that the MCP server knows it by. */
  readonly remoteName?: string;
  readonly allowedByDefault: boolean;
}

export const BUILT_IN: readonly Tool[] = [
  {
    id: "filesystem.read",
    description: "Read a text file of at most 1 MiB below the directory in tool/filesystem.read/root.",
    kind: "builtin",
    inputSchema: {
      type: "object",
      properties: { path: { type: "string", minLength: 1, maxLength: 4096 } },
      required: ["path"],
      additionalProperties: false,
    },
    outputSchema: {
      type: "object",
      properties: { path: { type: "string" }, content: { type: "string" } },
      required: ["path", "content"],
    },
    allowedByDefault: true,
  },
  {
    id: "shell.exec",
    description: "Run an argument vector as the caller, without a shell.",
    kind: "builtin",
    inputSchema: {
      type: "object",
      properties: { argv: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 1024 } },
      required: ["argv"],
      additionalProperties: false,
    },
    outputSchema: {
      type: "object",
      properties: { exit_code: { type: "integer" }, stdout: { type: "string" }, stderr: { type: "string" } },
      required: ["exit_code", "stdout", "stderr"],
    },
    allowedByDefault: false,
  },
];

export function mcpServer(settings: Settings, id: string): McpServer {
  const value = (field: string): string => settings.get(`mcp/server/${id}/${field}`)?.trim() ?? "";
  const command = value("command");
  return {
    id,
    transport: value("transport") === "http" ? "http" : "stdio",
    command: command === "" ? [] : [command, ...listValues(settings.get(`mcp/server/${id}/args`))],
    url: value("url"),
    keyReference: value("keyref") || undefined,
    env: listValues(settings.get(`mcp/server/${id}/env`)).filter((line) =>
      /^[A-Za-z_][A-Za-z0-9_]*=/.test(line),
    ),
  };
}

/** Tools by id: the built-in ones, and `<server>.<tool>` for those that MCP servers have listed. */
export class ToolRegistry {
  readonly #settings: Settings;
  readonly #remote = new Map<string, readonly McpTool[]>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  setRemote(server: string, tools: readonly McpTool[]): void {
    this.#remote.set(server, tools);
  }

  remoteTools(): Tool[] {
    const tools: Tool[] = [];
    for (const [id, listed] of this.#remote) {
      if (!this.#settings.hasChild("mcp/server", id)) continue;
      const server = mcpServer(this.#settings, id);
      for (const tool of listed) {
        if (!/^[A-Za-z0-9._-]{1,100}$/.test(tool.name)) continue;
        tools.push({
          id: `${id}.${tool.name}`,
          description: tool.description,
          kind: "mcp",
          inputSchema: tool.inputSchema,
          outputSchema: { type: "object" },
          server,
          remoteName: tool.name,
          allowedByDefault: false,
        });
      }
    }
    return tools.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get(id: string): Tool | undefined {
    return BUILT_IN.find((tool) => tool.id === id) ?? this.remoteTools().find((tool) => tool.id === id);
  }

  /** `allow`, `deny`, or the uids that may, one `uid:<n>` a line. */
  permissions(tool: Tool): string {
    return (
      this.#settings.get(`tool/${tool.id}/permissions`)?.trim() || (tool.allowedByDefault ? "allow" : "deny")
    );
  }

  isAllowed(tool: Tool, uid: number): boolean {
    const lines = listValues(this.permissions(tool));
    return lines.includes("allow") || lines.includes(`uid:${uid}`);
  }
}

export function permissionsProblem(text: string): boolean {
  const lines = listValues(text);
  return lines.length === 0 || !lines.every((line) => /^(allow|deny|uid:\d{1,10})$/.test(line));
}
