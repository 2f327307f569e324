import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { childEnvironment } from "../../base/child-env.ts";
import { LIMITS } from "../../base/limits.ts";
import { callError } from "../error.ts";

export interface StdioServer {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** One message; `LIMITS.callResponseBytes` where it is not given. */
  readonly messageBytes?: number;
  /** Where its diagnostics go: nowhere, or to this process's own. */
  readonly stderr?: "inherit";
}

/** How long a server may take to go once its input has ended. */
const FAREWELL_MS = 1000;

/**
 * A child process that speaks MCP over its standard streams, one message a line. It sees `PATH` and what the document
 * gives it, nothing else of this process's environment; when the call is over, its whole process group is.
 */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #server: StdioServer;
  #child: Bun.Subprocess<"pipe", "pipe", "ignore" | "inherit"> | undefined;
  #isClosed = false;

  constructor(server: StdioServer) {
    this.#server = server;
  }

  async start(): Promise<void> {
    const { command, arguments: args, environment, stderr = "ignore" } = this.#server;
    try {
      this.#child = Bun.spawn([command, ...args], {
        env: childEnvironment({ PATH: process.env["PATH"] }, environment),
        stdin: "pipe",
        stdout: "pipe",
        stderr,
        detached: true,
      });
    } catch {
      throw callError("configuration", "the MCP server's command cannot be started");
    }
    void this.#read(this.#child.stdout);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#child === undefined || this.#isClosed)
      throw callError("communication", "the MCP server has ended");
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
    await this.#child.stdin.flush();
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.#isClosed) return;
    this.#closed();
    try {
      await child.stdin.end();
    } catch {
      // It has ended already.
    }
    await Promise.race([child.exited, Bun.sleep(FAREWELL_MS)]);
    this.kill();
    await child.exited;
  }

  /** End the whole group at once. */
  kill(): void {
    if (this.#child === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // Nobody is left in it.
    }
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onclose?.();
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const { messageBytes = LIMITS.callResponseBytes } = this.#server;
    let parts: string[] = [];
    let size = 0;
    try {
      for await (const part of stream) {
        const lines = decoder.decode(part, { stream: true }).split("\n");
        for (const [index, line] of lines.entries()) {
          size += line.length;
          if (size > messageBytes)
            throw callError("communication", `the MCP server wrote a message of over ${messageBytes} bytes`);
          parts.push(line);
          if (index === lines.length - 1) break;
          this.#message(parts.join(""));
          parts = [];
          size = 0;
        }
      }
    } catch (error) {
      this.onerror?.(error as Error);
      this.kill();
    }
    this.#closed();
  }

  #message(line: string): void {
    if (line.trim() === "") return;
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      // A server that prints something else is common, and the specification tells it not to.
      return;
    }
    if (typeof message === "object" && message !== null && "jsonrpc" in message)
      this.onmessage?.(message as JSONRPCMessage);
  }
}
