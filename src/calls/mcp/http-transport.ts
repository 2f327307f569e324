import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { Json } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Credentials } from "../authentication/credentials.ts";
import type { CallScope } from "../call.ts";
import { place } from "../destination/check.ts";
import { type CallError, callError } from "../error.ts";
import { sendOnce } from "../http/send.ts";
import { AnswerWatch } from "./answer-watch.ts";

/** What the transport and the call tell each other. */
export interface McpPhase {
  /** Whether the messages that are under way do something on the other side; only `tools/call` does. */
  isEffect: boolean;
  /** The id of the last message that wants an answer. */
  asked: Json;
  /** Ends the call; the MCP client itself would wait for its timeout. */
  fail(error: CallError): void;
}

/**
 * `fetch` for the MCP client's HTTP transport: behind the destination policy, with credentials, answers bounded. The
 * stream that a server may push its own messages through is not opened, as a call waits for one answer alone; resuming
 * the stream of that answer is.
 */
export function mcpFetch(credentials: Credentials | undefined, phase: McpPhase, scope: CallScope): FetchLike {
  return async (input, init) => {
    const url = new URL(input);
    const headers = new Headers(init?.headers);
    const method = init?.method ?? "GET";
    if (method === "GET" && !headers.has("last-event-id")) return new Response(null, { status: 405 });
    const body = typeof init?.body === "string" ? { body: init.body } : {};
    const asks = method === "GET" || noteQuestion(init?.body, phase);
    const response = await sendOnce(
      { method, url, headers, ...body },
      { credentials, isEffect: phase.isEffect && method === "POST" },
      scope,
    );
    const from = `${method} ${place(url)}`;
    // Kept apart from the transport's own errors, which name no status.
    if (response.status >= 400 && method === "POST") {
      await response.body?.cancel().catch(() => {});
      throw callError("communication", `${from} answered ${response.status}`, response.status);
    }
    return watched(response, from, phase, asks ? new AnswerWatch(phase.asked) : null);
  };
}

/** Whether the message wants an answer: no notification, nor an answer to what the server has asked. */
function noteQuestion(body: unknown, phase: McpPhase): boolean {
  const { id, method } = (typeof body === "string" ? JSON.parse(body) : {}) as { id?: Json; method?: string };
  if (id === undefined || method === undefined) return false;
  phase.asked = id;
  return true;
}

/** The answer with a body that ends the call when it is too large, or a stream without an answer or a way to resume it. */
function watched(response: Response, from: string, phase: McpPhase, awaited: AnswerWatch | null): Response {
  if (response.body === null) return response;
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const watch = isStream ? awaited : null;
  let size = 0;
  const ended = () => {
    if (watch === null || watch.isResumable || watch.hasAnswer) return;
    phase.fail(callError("communication", `${from}: the answer broke off`));
  };
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const part = await reader.read();
        if (part.done) {
          ended();
          controller.close();
          return;
        }
        size += part.value.length;
        if (size > LIMITS.callResponseBytes) throw tooLarge(from, phase);
        watch?.add(part.value);
        controller.enqueue(part.value);
      } catch (error) {
        ended();
        await reader.cancel().catch(() => {});
        controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

function tooLarge(from: string, phase: McpPhase): CallError {
  const error = callError("communication", `${from}: the answer is over ${LIMITS.callResponseBytes} bytes`);
  phase.fail(error);
  return error;
}
