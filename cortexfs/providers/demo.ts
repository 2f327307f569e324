import { sha256 } from "../../src/base/canonical.ts";
import { type ChatRequest, type ChatResponse, type Delta, textOf } from "./conversation.ts";

/** Deterministic token count: words and punctuation, so that usage figures are repeatable. */
const countTokens = (text: string): number => text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu)?.length ?? 0;

/**
 * The built-in provider that works offline. The same request always gets the same answer:
 * - with a tool offered and no result yet, and the text `call <tool name> <json>`, it calls that tool;
 * - `repeat <n> <text>` gives the text n times, for long streams;
 * - otherwise it says back what the last user message said.
 */
export function demoResponse(request: ChatRequest, model: string): ChatResponse {
  const prompt = request.messages.map((message) => textOf(message.parts)).join("\n");
  const last = request.messages.at(-1);
  const said = last === undefined ? "" : textOf(last.parts).trim();
  const id = `demo-${sha256(JSON.stringify([model, request.system ?? "", request.messages])).slice(0, 24)}`;
  const input = countTokens(`${request.system ?? ""}\n${prompt}`);
  const call = /^call (\S+)(?: (\{.*\}))?$/s.exec(said);
  const tool = request.tools.find((candidate) => candidate.name === call?.[1]);
  if (last?.role === "user" && call !== null && tool !== undefined) {
    const text = call[2] ?? "{}";
    return {
      id,
      model,
      parts: [{ type: "call", id: `call_${id.slice(5, 13)}`, name: tool.name, input: text }],
      finish: "tool",
      usage: { input, output: countTokens(text) },
    };
  }
  const repeat = /^repeat (\d{1,4}) (.+)$/s.exec(said);
  let text =
    last?.role === "tool"
      ? `The tool answered: ${said}`
      : repeat === null
        ? `You said: ${said}`
        : Array.from({ length: Number(repeat[1]) }, () => repeat[2]).join(" ");
  let finish: ChatResponse["finish"] = "stop";
  for (const stop of request.stop) {
    const at = stop === "" ? -1 : text.indexOf(stop);
    if (at >= 0) text = text.slice(0, at);
  }
  if (request.maxTokens !== undefined && countTokens(text) > request.maxTokens) {
    text = text.split(" ").slice(0, request.maxTokens).join(" ");
    finish = "length";
  }
  return { id, model, parts: [{ type: "text", text }], finish, usage: { input, output: countTokens(text) } };
}

/** The same answer as a stream, one word a step. */
export function demoDeltas(response: ChatResponse): Delta[] {
  const deltas: Delta[] = [
    { type: "start", id: response.id, model: response.model, input: response.usage.input },
  ];
  for (const [index, part] of response.parts.entries()) {
    if (part.type === "text") {
      for (const word of part.text.match(/\S+\s*|\s+/g) ?? []) deltas.push({ type: "text", text: word });
    }
    if (part.type === "call")
      deltas.push({ type: "call", index, id: part.id, name: part.name, input: part.input });
  }
  deltas.push(
    { type: "usage", output: response.usage.output },
    { type: "finish", finish: response.finish },
    { type: "end" },
  );
  return deltas;
}
