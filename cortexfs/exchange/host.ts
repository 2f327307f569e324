import { type ErrorCode, type Failure, fail, toFailure } from "../../src/base/errors.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import type { Environment } from "../../src/base/xdg.ts";
import { closeMcpConnections, listMcpTools } from "../mcp/client.ts";
import type { McpServer, McpTool } from "../mcp/server.ts";
import { type Attempt, type ChatCall, ChatFailure, type ChatResult, callChat } from "../providers/call.ts";
import type { Delta } from "../providers/conversation.ts";
import { runTool, type ToolCall } from "./tools/run.ts";

/** What the engine asks of the host: plain data, since it may cross to another thread. */
export type HostMessage =
  | { readonly type: "chat"; readonly key: string; readonly call: ChatCall }
  | { readonly type: "tool"; readonly key: string; readonly call: ToolCall }
  | { readonly type: "mcp_list"; readonly key: string; readonly server: McpServer }
  | { readonly type: "cancel"; readonly key: string };

export interface FailureData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly details?: Record<string, Json>;
}

/** What the host says back. Each key gets deltas and then exactly one of the others. */
export type HostEvent =
  | { readonly type: "delta"; readonly key: string; readonly delta: Delta }
  | { readonly type: "chat"; readonly key: string; readonly result: ChatResult }
  | { readonly type: "tool"; readonly key: string; readonly output: Json }
  | { readonly type: "mcp_list"; readonly key: string; readonly tools: readonly McpTool[] }
  | {
      readonly type: "failure";
      readonly key: string;
      readonly failure: FailureData;
      readonly attempts: readonly Attempt[];
    };

export function failureData(failure: Failure): FailureData {
  return {
    code: failure.code,
    message: failure.message,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(failure.details === undefined ? {} : { details: failure.details as JsonObject }),
  };
}

export function failureFrom(data: FailureData): Failure {
  return fail(data.code, data.message, {
    ...(data.hint === undefined ? {} : { hint: data.hint }),
    ...(data.details === undefined ? {} : { details: data.details }),
  });
}

export interface HostOptions {
  readonly env: Environment;
  readonly emit: (event: HostEvent) => void;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/**
 * Does what takes time, on a thread that has an event loop: provider calls and tools. It keeps no state but the calls
 * in flight; everything durable is the engine's.
 */
export class Host {
  readonly #options: HostOptions;
  readonly #running = new Map<string, AbortController>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  handle(message: HostMessage): void {
    if (message.type === "cancel") {
      this.#running.get(message.key)?.abort(fail("execution_cancelled"));
      return;
    }
    const controller = new AbortController();
    this.#running.set(message.key, controller);
    const { emit } = this.#options;
    const { key } = message;
    const work = this.#work(message, controller.signal);
    work
      .catch((error: unknown): HostEvent => {
        const failure = error instanceof ChatFailure ? error.failure : toFailure(error);
        return {
          type: "failure",
          key,
          failure: failureData(failure),
          attempts: error instanceof ChatFailure ? error.attempts : [],
        };
      })
      .then((event) => {
        this.#running.delete(key);
        emit(event);
      });
  }

  async #work(message: Exclude<HostMessage, { type: "cancel" }>, signal: AbortSignal): Promise<HostEvent> {
    const { emit, env } = this.#options;
    const { key } = message;
    switch (message.type) {
      case "chat": {
        const result = await callChat(message.call, {
          env,
          fetch: this.#options.fetch ?? fetch,
          now: () => Date.now(),
          onDelta: (delta) => emit({ type: "delta", key, delta }),
          signal,
        });
        return { type: "chat", key, result };
      }
      case "tool":
        return { type: "tool", key, output: await runTool(message.call, env, signal) };
      case "mcp_list": {
        const limited = AbortSignal.any([signal, AbortSignal.timeout(30_000)]);
        return { type: "mcp_list", key, tools: await listMcpTools(message.server, env, limited) };
      }
    }
  }

  /** Cancel everything in flight. */
  stop(): void {
    for (const controller of this.#running.values()) controller.abort(fail("execution_cancelled"));
    closeMcpConnections();
  }
}
