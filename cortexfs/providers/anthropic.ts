import type { Json, JsonObject } from "../../src/base/json.ts";
import {
  asArray,
  asNumber,
  asObject,
  asText,
  asTexts,
  type ChatRequest,
  type ChatResponse,
  compact,
  type Delta,
  type Dialect,
  type Finish,
  type Message,
  type Part,
  parseObject,
  textOf,
} from "./conversation.ts";

/** The API version header; later features come by their own beta headers, which a channel may add. */
const VERSION = "2023-06-01";
/** The Messages API requires a limit, the other formats do not. */
const DEFAULT_MAX_TOKENS = 4096;

const FINISH: Readonly<Record<string, Finish>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  tool_use: "tool",
  refusal: "filter",
};
const FINISH_TEXT = { stop: "end_turn", length: "max_tokens", tool: "tool_use", filter: "refusal" } as const;

function readContent(content: Json | undefined): Part[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return asArray(content).flatMap((item): Part[] => {
    const part = asObject(item);
    switch (part["type"]) {
      case "text":
        return [{ type: "text", text: asText(part["text"]) }];
      case "image": {
        const source = asObject(part["source"]);
        return source["type"] === "base64"
          ? [{ type: "image", mediaType: asText(source["media_type"]), data: asText(source["data"]) }]
          : [{ type: "image", url: asText(source["url"]) }];
      }
      case "tool_use":
        return [
          {
            type: "call",
            id: asText(part["id"]),
            name: asText(part["name"]),
            input: JSON.stringify(part["input"] ?? {}),
          },
        ];
      case "tool_result":
        return [
          { type: "result", id: asText(part["tool_use_id"]), text: textOf(readContent(part["content"])) },
        ];
      default:
        return [];
    }
  });
}

function writePart(part: Part): JsonObject {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text };
    case "image":
      return part.data === undefined
        ? { type: "image", source: { type: "url", url: part.url ?? "" } }
        : { type: "image", source: { type: "base64", media_type: part.mediaType ?? "", data: part.data } };
    case "call":
      return { type: "tool_use", id: part.id, name: part.name, input: parseObject(part.input) };
    case "result":
      return { type: "tool_result", tool_use_id: part.id, content: part.text };
  }
}

/** Roles must alternate: neighbours that map to the same role become one message. */
function writeMessages(messages: readonly Message[]): JsonObject[] {
  const result: { role: string; content: Json[] }[] = [];
  for (const message of messages) {
    const role = message.role === "assistant" ? "assistant" : "user";
    const content = message.parts.map(writePart);
    const last = result.at(-1);
    if (last?.role === role) last.content.push(...content);
    else result.push({ role, content });
  }
  return result;
}

/** Anthropic Messages: `POST /v1/messages`. */
export const anthropicMessages: Dialect = {
  name: "anthropic.messages",
  basePath: "/v1",
  path: () => "/messages",
  headers: (secret): Record<string, string> => ({
    "anthropic-version": VERSION,
    ...(secret === undefined ? {} : { "x-api-key": secret }),
  }),

  readRequest(body): ChatRequest {
    const system = textOf(readContent(body["system"]));
    return {
      model: typeof body["model"] === "string" ? body["model"] : undefined,
      system: system === "" ? undefined : system,
      messages: asArray(body["messages"]).map((item) => {
        const message = asObject(item);
        return {
          role: message["role"] === "assistant" ? "assistant" : "user",
          parts: readContent(message["content"]),
        };
      }),
      tools: asArray(body["tools"]).map((item) => {
        const tool = asObject(item);
        return {
          name: asText(tool["name"]),
          description: typeof tool["description"] === "string" ? tool["description"] : undefined,
          schema: asObject(tool["input_schema"]),
        };
      }),
      maxTokens: asNumber(body["max_tokens"]),
      temperature: asNumber(body["temperature"]),
      topP: asNumber(body["top_p"]),
      stop: asTexts(body["stop_sequences"]),
      stream: body["stream"] === true,
    };
  },

  writeRequest(request, model, stream) {
    return compact({
      model,
      max_tokens: request.maxTokens ?? DEFAULT_MAX_TOKENS,
      system: request.system,
      messages: writeMessages(request.messages),
      tools:
        request.tools.length === 0
          ? undefined
          : request.tools.map((tool) =>
              compact({ name: tool.name, description: tool.description, input_schema: tool.schema }),
            ),
      temperature: request.temperature,
      top_p: request.topP,
      stop_sequences: request.stop.length > 0 ? [...request.stop] : undefined,
      stream: stream ? true : undefined,
    });
  },

  adaptRequest(body, model, stream) {
    const adapted: JsonObject = { max_tokens: DEFAULT_MAX_TOKENS, ...body, model };
    return stream ? { ...adapted, stream: true } : adapted;
  },

  readResponse(body): ChatResponse {
    const usage = asObject(body["usage"]);
    return {
      id: asText(body["id"]),
      model: asText(body["model"]),
      parts: readContent(body["content"]),
      finish: FINISH[asText(body["stop_reason"])] ?? "stop",
      usage: { input: asNumber(usage["input_tokens"]) ?? 0, output: asNumber(usage["output_tokens"]) ?? 0 },
    };
  },

  writeResponse(response) {
    return {
      id: response.id,
      type: "message",
      role: "assistant",
      model: response.model,
      content: response.parts.map(writePart),
      stop_reason: FINISH_TEXT[response.finish],
      stop_sequence: null,
      usage: { input_tokens: response.usage.input, output_tokens: response.usage.output },
    };
  },

  readEvent(event, data): Delta[] {
    const body = parseObject(data);
    const index = asNumber(body["index"]) ?? 0;
    switch (asText(body["type"]) || event) {
      case "message_start": {
        const message = asObject(body["message"]);
        return [
          {
            type: "start",
            id: asText(message["id"]),
            model: asText(message["model"]),
            input: asNumber(asObject(message["usage"])["input_tokens"]) ?? 0,
          },
        ];
      }
      case "content_block_start": {
        const block = asObject(body["content_block"]);
        if (block["type"] === "tool_use") {
          return [{ type: "call", index, id: asText(block["id"]), name: asText(block["name"]), input: "" }];
        }
        return asText(block["text"]) === "" ? [] : [{ type: "text", text: asText(block["text"]) }];
      }
      case "content_block_delta": {
        const delta = asObject(body["delta"]);
        if (delta["type"] === "text_delta") return [{ type: "text", text: asText(delta["text"]) }];
        if (delta["type"] === "input_json_delta") {
          return [{ type: "call", index, input: asText(delta["partial_json"]) }];
        }
        return [];
      }
      case "message_delta": {
        const finish = FINISH[asText(asObject(body["delta"])["stop_reason"])];
        const output = asNumber(asObject(body["usage"])["output_tokens"]);
        return [
          ...(output === undefined ? [] : [{ type: "usage" as const, output }]),
          ...(finish === undefined ? [] : [{ type: "finish" as const, finish }]),
        ];
      }
      case "message_stop":
        return [{ type: "end" }];
      case "error":
        return [{ type: "error", message: asText(asObject(body["error"])["message"]) || data }];
      default:
        return [];
    }
  },
};
