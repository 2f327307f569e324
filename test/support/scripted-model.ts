import type { JsonObject } from "../../src/base/json.ts";

/** What the model says at one turn: text, calls of tools, a status, a body as it is, or whatever an answer may be. */
export type Turn =
  | { readonly say: string }
  | { readonly call: readonly { name: string; arguments: JsonObject | string; id?: string }[] }
  | { readonly status: number }
  /** Says nothing until this is kept. */
  | { readonly hold: Promise<void> }
  | { readonly respond: () => Response | Promise<Response> }
  | { readonly raw: JsonObject | string };

/** A local server that speaks the chat completions of the OpenAI API and says what a test wrote down, turn by turn. */
export function startScriptedModel() {
  const seen: JsonObject[] = [];
  let script: readonly Turn[] = [];
  let at = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      seen.push((await request.json()) as JsonObject);
      // The last turn is said again and again.
      const turn = script[Math.min(at++, script.length - 1)] ?? { say: "nothing to say" };
      if ("hold" in turn) await turn.hold;
      if ("status" in turn) {
        return Response.json(
          { error: { message: "not now", type: "server_error" } },
          { status: turn.status },
        );
      }
      if ("respond" in turn) return await turn.respond();
      if ("raw" in turn)
        return typeof turn.raw === "string" ? new Response(turn.raw) : Response.json(turn.raw);
      const calls = "call" in turn ? turn.call : [];
      const message = {
        role: "assistant",
        content: "say" in turn ? turn.say : null,
        ...(calls.length === 0
          ? {}
          : {
              tool_calls: calls.map((each, index) => ({
                id: each.id ?? `call_${at}_${index}`,
                type: "function",
                function: {
                  name: each.name,
                  arguments:
                    typeof each.arguments === "string" ? each.arguments : JSON.stringify(each.arguments),
                },
              })),
            }),
      };
      return Response.json({
        id: `chatcmpl-${at}`,
        object: "chat.completion",
        created: 1,
        model: "scripted",
        choices: [{ index: 0, message, finish_reason: calls.length === 0 ? "stop" : "tool_calls" }],
        usage: { prompt_tokens: 30, completion_tokens: 20, total_tokens: 50 },
      });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    /** Every request since the last script. */
    seen,
    script(...turns: Turn[]) {
      script = turns;
      at = 0;
      seen.length = 0;
    },
    stop: () => server.stop(true),
  };
}
