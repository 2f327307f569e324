import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { Environment } from "../../src/base/xdg.ts";
import { resolveSecret } from "../providers/secret.ts";
import type { McpServer } from "./server.ts";

/** The largest message of a server, bytes. */
const MAX_MESSAGE = 4 << 20;

export interface OpenTransport {
  readonly transport: Transport;
  /** What the server was given and must not be heard to say; grows as keys are read. */
  readonly secrets: Set<string>;
}

export function openTransport(server: McpServer, env: Environment): Promise<OpenTransport> {
  return server.transport === "stdio" ? overStdio(server, env) : overHttp(server, env);
}

/** A child that sees PATH, HOME and the like, and what its settings give it; nothing else of this environment. */
async function overStdio(server: McpServer, env: Environment): Promise<OpenTransport> {
  const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
  const childEnv: Record<string, string> = {};
  const secrets = new Set<string>();
  for (const line of server.env) {
    const at = line.indexOf("=");
    const value = line.slice(at + 1);
    const isReference = /^(env|file|systemd-creds):/.test(value);
    const resolved = isReference ? await resolveSecret(value, env) : value;
    childEnv[line.slice(0, at)] = resolved;
    if (isReference) secrets.add(resolved);
  }
  const [command = "", ...args] = server.command;
  const transport = new StdioClientTransport({
    command,
    args,
    env: childEnv,
    stderr: "ignore",
    cwd: "/",
    maxBufferSize: MAX_MESSAGE,
  });
  return { transport, secrets };
}

/** Streamable HTTP. The key is read anew for each message, so that a changed one is used at once. */
async function overHttp(server: McpServer, env: Environment): Promise<OpenTransport> {
  const { StreamableHTTPClientTransport } = await import(
    "@modelcontextprotocol/sdk/client/streamableHttp.js"
  );
  const secrets = new Set<string>();
  const transport = new StreamableHTTPClientTransport(new URL(server.url), {
    fetch: async (url, init) => {
      // The stream for messages of the server's own is not wanted: each call waits for one answer alone.
      if (init?.method === "GET" && !new Headers(init.headers).has("last-event-id"))
        return new Response(null, { status: 405 });
      const headers = new Headers(init?.headers);
      if (server.keyReference !== undefined) {
        const secret = await resolveSecret(server.keyReference, env);
        secrets.add(secret);
        headers.set("authorization", `Bearer ${secret}`);
      }
      const response = await fetch(url, { ...init, headers, redirect: "error" });
      return new Response(limited(response.body), { status: response.status, headers: response.headers });
    },
  });
  return { transport: transport as Transport, secrets };
}

/** The body, cut with an error when it grows over the limit. */
function limited(body: ReadableStream<Uint8Array> | null): ReadableStream<Uint8Array> | null {
  if (body === null) return null;
  let size = 0;
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(part, controller) {
        size += part.length;
        if (size > MAX_MESSAGE) controller.error(new Error(`the answer is over ${MAX_MESSAGE} bytes`));
        else controller.enqueue(part);
      },
    }),
  );
}
