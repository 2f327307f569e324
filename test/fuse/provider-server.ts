import type { JsonObject } from "../../src/base/json.ts";

/** What a test wants the next answers to be. */
export interface Behaviour {
  /** Hold each answer until this settles. */
  hold?: Promise<void>;
  /** Answer with these statuses first, one a request. */
  failures?: { status: number; retryAfter?: string; body?: JsonObject }[];
  /** Cut the connection after this many stream events. */
  cutAfter?: number;
  /** The text of the answer; the default says back what was asked. */
  text?: string;
}

export interface SeenRequest {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: JsonObject;
}

type Parts = { text: string; stream: boolean; behaviour: Behaviour };

/** A local HTTP server that speaks the published wire format of each provider. */
export function startProviderServer() {
  const seen: SeenRequest[] = [];
  const state: { behaviour: Behaviour } = { behaviour: {} };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    fetch: async (request) => {
      const url = new URL(request.url);
      const body = (await request.json()) as JsonObject;
      seen.push({ path: url.pathname + url.search, headers: Object.fromEntries(request.headers), body });
      const { behaviour } = state;
      const failure = behaviour.failures?.shift();
      if (failure !== undefined) {
        return Response.json(failure.body ?? { error: { message: "try again", type: "server_error" } }, {
          status: failure.status,
          headers: failure.retryAfter === undefined ? {} : { "retry-after": failure.retryAfter },
        });
      }
      await behaviour.hold;
      const said = behaviour.text ?? `echo: ${lastText(body)}`;
      const stream = body["stream"] === true || url.pathname.endsWith(":streamGenerateContent");
      const parts: Parts = { text: said, stream, behaviour };
      if (url.pathname.endsWith("/chat/completions")) return chat(parts);
      if (url.pathname.endsWith("/responses")) return responses(parts);
      if (url.pathname.endsWith("/messages")) return anthropic(parts);
      if (url.pathname.includes("/models/")) return google(parts);
      return new Response("no such path", { status: 404 });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, seen, state, stop: () => server.stop(true) };
}

/** The last text that any of the four formats holds. */
function lastText(value: unknown): string {
  const texts: string[] = [];
  const walk = (item: unknown, key = ""): void => {
    if (typeof item === "string" && ["text", "content", "input"].includes(key)) texts.push(item);
    else if (Array.isArray(item)) for (const entry of item) walk(entry, key);
    else if (typeof item === "object" && item !== null)
      for (const [name, entry] of Object.entries(item)) walk(entry, name);
  };
  const { messages, input, contents } = value as JsonObject;
  walk(messages ?? input ?? contents, "input");
  return texts.at(-1) ?? "";
}

const pieces = (text: string): string[] => text.match(/.{1,4}/gs) ?? [];

function eventStream(events: { event?: string; data: string }[], cutAfter: number | undefined): Response {
  const encoder = new TextEncoder();
  return new Response(
    new ReadableStream({
      async start(controller) {
        for (const [index, { event, data }] of events.entries()) {
          if (index === cutAfter) {
            controller.close();
            return;
          }
          const text = `${event === undefined ? "" : `event: ${event}\n`}data: ${data}\n\n`;
          // In two halves, since that is how bytes come.
          controller.enqueue(encoder.encode(text.slice(0, text.length >> 1)));
          await Bun.sleep(1);
          controller.enqueue(encoder.encode(text.slice(text.length >> 1)));
        }
        controller.close();
      },
    }),
    { headers: { "content-type": "text/event-stream" } },
  );
}

function chat({ text, stream, behaviour }: Parts): Response {
  const base = { id: "chatcmpl-1", created: 1, model: "stub-model" };
  if (!stream) {
    return Response.json({
      ...base,
      object: "chat.completion",
      choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
      system_fingerprint: "only-here",
    });
  }
  const chunk = (choices: unknown[], extra = {}) => ({
    data: JSON.stringify({ ...base, object: "chat.completion.chunk", choices, ...extra }),
  });
  return eventStream(
    [
      chunk([{ index: 0, delta: { role: "assistant", content: "" } }]),
      ...pieces(text).map((content) => chunk([{ index: 0, delta: { content } }])),
      chunk([{ index: 0, delta: {}, finish_reason: "stop" }]),
      chunk([], { usage: { prompt_tokens: 3, completion_tokens: 5 } }),
      { data: "[DONE]" },
    ],
    behaviour.cutAfter,
  );
}

function responses({ text, stream, behaviour }: Parts): Response {
  const whole = {
    id: "resp_1",
    object: "response",
    created_at: 1,
    status: "completed",
    model: "stub-model",
    output: [
      {
        type: "message",
        id: "msg_1",
        status: "completed",
        role: "assistant",
        content: [{ type: "output_text", text, annotations: [] }],
      },
    ],
    usage: { input_tokens: 3, output_tokens: 5, total_tokens: 8 },
  };
  if (!stream) return Response.json(whole);
  const event = (type: string, members: object) => ({
    event: type,
    data: JSON.stringify({ type, ...members }),
  });
  return eventStream(
    [
      event("response.created", { response: { ...whole, status: "in_progress", output: [] } }),
      ...pieces(text).map((delta) =>
        event("response.output_text.delta", { output_index: 0, content_index: 0, delta }),
      ),
      event("response.completed", { response: whole }),
    ],
    behaviour.cutAfter,
  );
}

function anthropic({ text, stream, behaviour }: Parts): Response {
  const base = { id: "msg_1", type: "message", role: "assistant", model: "stub-model" };
  if (!stream) {
    return Response.json({
      ...base,
      content: [{ type: "text", text }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 3, output_tokens: 5 },
    });
  }
  const event = (type: string, members: object) => ({
    event: type,
    data: JSON.stringify({ type, ...members }),
  });
  return eventStream(
    [
      event("message_start", {
        message: { ...base, content: [], usage: { input_tokens: 3, output_tokens: 0 } },
      }),
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
      event("ping", {}),
      ...pieces(text).map((piece) =>
        event("content_block_delta", { index: 0, delta: { type: "text_delta", text: piece } }),
      ),
      event("content_block_stop", { index: 0 }),
      event("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } }),
      event("message_stop", {}),
    ],
    behaviour.cutAfter,
  );
}

function google({ text, stream, behaviour }: Parts): Response {
  const answer = (piece: string, finishReason?: string) => ({
    candidates: [
      {
        content: { role: "model", parts: [{ text: piece }] },
        ...(finishReason ? { finishReason } : {}),
        index: 0,
      },
    ],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 5, totalTokenCount: 8 },
    modelVersion: "stub-model",
    responseId: "g1",
  });
  if (!stream) return Response.json(answer(text, "STOP"));
  const parts = pieces(text);
  return eventStream(
    parts.map((piece, index) => ({
      data: JSON.stringify(answer(piece, index === parts.length - 1 ? "STOP" : undefined)),
    })),
    behaviour.cutAfter,
  );
}
