import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { type CallError, callError } from "../error.ts";
import { messageLines } from "./message-lines.ts";

export interface StdioServer {
  readonly command: string;
  readonly arguments: readonly string[];
  /** All that it sees. */
  readonly environment: Readonly<Record<string, string>>;
  /** This process's own unless said. */
  readonly directory?: string;
  /** Where what it writes there goes. */
  readonly stderr: "ignore" | "inherit";
  /** Of one message, and of all that nobody asked for from one request to the next. */
  readonly messageBytes: number;
}

/** How long a server may take to go once its input has ended. */
const FAREWELL_MS = 1000;
/** How long after the end of its output a server that has ended is known to have. */
const REAP_MS = 200;
/** What is looked at before others have their turn. */
const TURN_BYTES = 64 * 1024;
/** Of lines that are no messages, from one request to the next: many servers greet, though the specification tells them not to. */
const NOISE_BYTES = 64 * 1024;

/**
 * A child process that speaks MCP over its standard streams, one message a line; when the conversation is over, its
 * whole process group is. What goes wrong has a name of its own, and the first thing that did is what counts.
 */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #server: StdioServer;
  #child: Bun.Subprocess<"pipe", "pipe", "ignore" | "inherit"> | undefined;
  #isClosed = false;
  #failure: CallError | null = null;
  #noise = 0;
  /** Of requests, notifications and answers to nothing. */
  #unasked = 0;
  /** Requests that have no answer yet. */
  readonly #asked = new Set<unknown>();

  constructor(server: StdioServer) {
    this.#server = server;
  }

  /** What ended it, or null. */
  get failure(): CallError | null {
    return this.#failure;
  }

  /** Whether it printed what is no message. */
  get isNoisy(): boolean {
    return this.#noise > 0;
  }

  async start(): Promise<void> {
    const { command, arguments: args, environment, stderr, directory } = this.#server;
    try {
      this.#child = Bun.spawn([command, ...args], {
        env: environment as Record<string, string>,
        ...(directory === undefined ? {} : { cwd: directory }),
        stdin: "pipe",
        stdout: "pipe",
        stderr,
        detached: true,
      });
    } catch (cause) {
      const { code: reason } = cause as NodeJS.ErrnoException;
      const why = reason === "ENOENT" ? "it is not installed where the task runs" : reason;
      const what = `the MCP server's command ${JSON.stringify(command)} cannot be started${why === undefined ? "" : `: ${why}`}`;
      const error = callError("configuration", what, undefined, { code: "mcp_start_failed" });
      this.#failure = error;
      throw error;
    }
    void this.#read(this.#child);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#child === undefined || this.#isClosed) throw this.#failure ?? ended("has ended");
    // An answer to a request of the server is no request: it could ask without an end.
    if ("method" in message) {
      this.#noise = 0;
      this.#unasked = 0;
      if ("id" in message) this.#asked.add(message.id);
    }
    try {
      this.#child.stdin.write(`${JSON.stringify(message)}\n`);
      await this.#child.stdin.flush();
    } catch {
      // It takes no more input: the end of its output says how it ended.
    }
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

  async #read(child: Bun.Subprocess<"pipe", "pipe", "ignore" | "inherit">): Promise<void> {
    const { messageBytes } = this.#server;
    const lines = messageLines(messageBytes, () => tooMuch(`a message of over ${messageBytes} bytes`));
    try {
      for await (const part of child.stdout) {
        // As much as came meanwhile is one part, all that may come perhaps.
        for (let at = 0; at < part.length; at += TURN_BYTES) {
          for (const line of lines(part.subarray(at, at + TURN_BYTES))) this.#message(line);
          // A server that never stops leaves timers no turn otherwise, and with them no time limit.
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      await Promise.race([child.exited, Bun.sleep(REAP_MS)]);
      if (!this.#isClosed) this.#failure ??= ended(howItEnded(child));
    } catch (error) {
      this.#failure ??= error as CallError;
      this.onerror?.(error as Error);
    }
    // A server that closed its output answers nothing any more, and neither does what it left behind.
    this.kill();
    this.#closed();
  }

  #message(line: string): void {
    if (line.trim() === "") return;
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      // Looked at below.
    }
    if (typeof message === "object" && message !== null && "jsonrpc" in message) {
      const isAnswer = "id" in message && !("method" in message) && this.#asked.delete(message.id);
      if (!isAnswer) this.#unasked += line.length;
      if (this.#unasked > this.#server.messageBytes) throw tooMuch("more than anybody asked for");
      this.onmessage?.(message as JSONRPCMessage);
      return;
    }
    this.#noise += line.length;
    if (this.#noise > NOISE_BYTES)
      throw callError("communication", "the MCP server prints what is no message of MCP", undefined, {
        code: "mcp_output_invalid",
      });
  }
}

const tooMuch = (what: string): CallError =>
  callError("communication", `the MCP server wrote ${what}`, undefined, { code: "mcp_output_too_large" });

const ended = (how: string): CallError =>
  callError("communication", `the MCP server ${how}`, undefined, { code: "mcp_server_ended" });

function howItEnded({ exitCode, signalCode }: Bun.Subprocess): string {
  if (signalCode !== null) return `was ended by ${signalCode}`;
  return exitCode === null ? "closed its output" : `ended with exit code ${exitCode}`;
}
