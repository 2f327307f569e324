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
  imageFromUrl,
  imageToUrl,
  type Message,
  type Part,
  parseObject,
  textOf,
} from "./conversation.ts";

const FINISH: Readonly<Record<string, Finish>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool",
  function_call: "tool",
  content_filter: "filter",
};
const FINISH_TEXT = { stop: "stop", length: "length", tool: "tool_calls", filter: "content_filter" } as const;

function readContent(content: Json | undefined): Part[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return asArray(content).flatMap((item): Part[] => {
    const part = asObject(item);
    if (part["type"] === "text") return [{ type: "text", text: asText(part["text"]) }];
    if (part["type"] === "image_url") return [imageFromUrl(asText(asObject(part["image_url"])["url"]))];
    return [];
  });
}

function readCalls(value: Json | undefined): Part[] {
  return asArray(value).map((item) => {
    const call = asObject(item);
    const target = asObject(call["function"]);
    return {
      type: "call",
      id: asText(call["id"]),
      name: asText(target["name"]),
      input: asText(target["arguments"]),
    };
  });
}

function writeContent(parts: readonly Part[]): Json {
  if (parts.every((part) => part.type === "text")) return textOf(parts);
  return parts.flatMap((part): Json[] => {
    if (part.type === "text") return [{ type: "text", text: part.text }];
    if (part.type === "image") return [{ type: "image_url", image_url: { url: imageToUrl(part) } }];
    return [];
  });
}

function writeCalls(parts: readonly Part[]): Json[] {
  return parts.flatMap((part) =>
    part.type === "call"
      ? [{ id: part.id, type: "function", function: { name: part.name, arguments: part.input } }]
      : [],
  );
}

function writeMessage(message: Message): JsonObject[] {
  if (message.role === "tool" || message.parts.some((part) => part.type === "result")) {
    return message.parts.flatMap((part) =>
      part.type === "result" ? [{ role: "tool", tool_call_id: part.id, content: part.text }] : [],
    );
  }
  const calls = writeCalls(message.parts);
  const spoken = message.parts.filter((part) => part.type !== "call");
  return [
    compact({
      role: message.role,
      content: spoken.length === 0 && calls.length > 0 ? null : writeContent(spoken),
      tool_calls: calls.length > 0 ? calls : undefined,
    }),
  ];
}

/** OpenAI Chat Completions: `POST /v1/chat/completions`. */
export const openaiChat: Dialect = {
  name: "openai.chat",
  basePath: "/v1",
  path: () => "/chat/completions",
  headers: (secret): Record<string, string> =>
    secret === undefined ? {} : { authorization: `Bearer ${secret}` },

  readRequest(body): ChatRequest {
    const system: string[] = [];
    const messages: Message[] = [];
    for (const item of asArray(body["messages"])) {
      const message = asObject(item);
      const role = asText(message["role"]);
      const parts = readContent(message["content"]);
      if (role === "system" || role === "developer") system.push(textOf(parts));
      else if (role === "tool") {
        const result: Part = { type: "result", id: asText(message["tool_call_id"]), text: textOf(parts) };
        messages.push({ role: "tool", parts: [result] });
      } else if (role === "assistant") {
        messages.push({ role, parts: [...parts, ...readCalls(message["tool_calls"])] });
      } else messages.push({ role: "user", parts });
    }
    return {
      model: typeof body["model"] === "string" ? body["model"] : undefined,
      system: system.length > 0 ? system.join("\n\n") : undefined,
      messages,
      tools: asArray(body["tools"]).map((item) => {
        const tool = asObject(asObject(item)["function"]);
        return {
          name: asText(tool["name"]),
          description: typeof tool["description"] === "string" ? tool["description"] : undefined,
          schema: asObject(tool["parameters"]),
        };
      }),
      maxTokens: asNumber(body["max_completion_tokens"]) ?? asNumber(body["max_tokens"]),
      temperature: asNumber(body["temperature"]),
      topP: asNumber(body["top_p"]),
      stop: asTexts(body["stop"]),
      stream: body["stream"] === true,
    };
  },

  writeRequest(request, model, stream) {
    return compact({
      model,
      messages: [
        ...(request.system === undefined ? [] : [{ role: "system", content: request.system }]),
        ...request.messages.flatMap(writeMessage),
      ],
      tools:
        request.tools.length === 0
          ? undefined
          : request.tools.map((tool) => ({
              type: "function",
              function: compact({ name: tool.name, description: tool.description, parameters: tool.schema }),
            })),
      max_tokens: request.maxTokens,
      temperature: request.temperature,
      top_p: request.topP,
      stop: request.stop.length > 0 ? [...request.stop] : undefined,
      stream: stream ? true : undefined,
      stream_options: stream ? { include_usage: true } : undefined,
    });
  },

  adaptRequest(body, model, stream) {
    if (!stream) return { ...body, model };
    return {
      ...body,
      model,
      stream: true,
      stream_options: { ...asObject(body["stream_options"]), include_usage: true },
    };
  },

  readResponse(body): ChatResponse {
    const choice = asObject(asArray(body["choices"])[0]);
    const message = asObject(choice["message"]);
    const usage = asObject(body["usage"]);
    return {
      id: asText(body["id"]),
      model: asText(body["model"]),
      parts: [...readContent(message["content"]), ...readCalls(message["tool_calls"])],
      finish: FINISH[asText(choice["finish_reason"])] ?? "stop",
      usage: {
        input: asNumber(usage["prompt_tokens"]) ?? 0,
        output: asNumber(usage["completion_tokens"]) ?? 0,
      },
    };
  },

  writeResponse(response, time) {
    const calls = writeCalls(response.parts);
    const text = textOf(response.parts);
    return {
      id: response.id,
      object: "chat.completion",
      created: Math.floor(time / 1000),
      model: response.model,
      choices: [
        {
          index: 0,
          message: compact({
            role: "assistant",
            content: text === "" && calls.length > 0 ? null : text,
            tool_calls: calls.length > 0 ? calls : undefined,
          }),
          finish_reason: FINISH_TEXT[response.finish],
        },
      ],
      usage: {
        prompt_tokens: response.usage.input,
        completion_tokens: response.usage.output,
        total_tokens: response.usage.input + response.usage.output,
      },
    };
  },

  readEvent(_event, data): Delta[] {
    if (data === "[DONE]") return [{ type: "end" }];
    const chunk = parseObject(data);
    if (chunk["error"] !== undefined && chunk["error"] !== null) {
      return [{ type: "error", message: asText(asObject(chunk["error"])["message"]) || data }];
    }
    const deltas: Delta[] = [{ type: "start", id: asText(chunk["id"]), model: asText(chunk["model"]) }];
    const choice = asObject(asArray(chunk["choices"])[0]);
    const delta = asObject(choice["delta"]);
    if (typeof delta["content"] === "string" && delta["content"] !== "") {
      deltas.push({ type: "text", text: delta["content"] });
    }
    for (const item of asArray(delta["tool_calls"])) {
      const call = asObject(item);
      const target = asObject(call["function"]);
      deltas.push({
        type: "call",
        index: asNumber(call["index"]) ?? 0,
        ...(typeof call["id"] === "string" ? { id: call["id"] } : {}),
        ...(typeof target["name"] === "string" ? { name: target["name"] } : {}),
        input: asText(target["arguments"]),
      });
    }
    const finish = FINISH[asText(choice["finish_reason"])];
    if (finish !== undefined) deltas.push({ type: "finish", finish });
    const usage = asObject(chunk["usage"]);
    const input = asNumber(usage["prompt_tokens"]);
    const output = asNumber(usage["completion_tokens"]);
    if (input !== undefined && output !== undefined) deltas.push({ type: "usage", input, output });
    return deltas;
  },
};
