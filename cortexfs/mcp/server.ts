import type { JsonObject } from "../../src/base/json.ts";

/** How to reach a server of the Model Context Protocol. */
export interface McpServer {
  readonly id: string;
  readonly transport: "stdio" | "http";
  /** For stdio: the program and its arguments. */
  readonly command: readonly string[];
  /** For HTTP: the endpoint. */
  readonly url: string;
  /** A reference to the bearer token (HTTP), never the token. */
  readonly keyReference: string | undefined;
  /** For stdio: variables of the child, each `NAME=value` or `NAME=env:OTHER` by reference. */
  readonly env: readonly string[];
}

export interface McpTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
}
