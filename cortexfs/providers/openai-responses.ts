import type { Json, JsonObject } from "../../src/base/json.ts";
import {
  asArray,
  asNumber,
  asObject,
  asText,
  type ChatRequest,
  type ChatResponse,
  compact,
  type Delta,
  type Dialect,
  imageFromUrl,
  imageToUrl,
  type Message,
  type Part,
  parseObject,
  textOf,
} from "./conversation.ts";

function readContent(content: Json | undefined): Part[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return asArray(content).flatMap((item): Part[] => {
    const part = asObject(item);
    switch (part["type"]) {
      case "input_text":
      case "output_text":
        return [{ type: "text", text: asText(part["text"]) }];
      case "refusal":
        return [{ type: "text", text: asText(part["refusal"]) }];
      case "input_image":
        return [imageFromUrl(asText(part["image_url"]))];
      default:
        return [];
    }
  });
}

function readItems(input: Json | undefined, system: string[]): Message[] {
  if (typeof input === "string") return [{ role: "user", parts: [{ type: "text", text: input }] }];
  return asArray(input).flatMap((entry): Message[] => {
    const item = asObject(entry);
    if (item["type"] === "function_call") {
      const call: Part = {
        type: "call",
        id: asText(item["call_id"]),
        name: asText(item["name"]),
        input: asText(item["arguments"]),
      };
      return [{ role: "assistant", parts: [call] }];
    }
    if (item["type"] === "function_call_output") {
      const result: Part = {
        type: "result",
        id: asText(item["call_id"]),
        text: textOf(readContent(item["output"])),
      };
      return [{ role: "tool", parts: [result] }];
    }
    const role = asText(item["role"]);
    const parts = readContent(item["content"]);
    if (role === "system" || role === "developer") {
      system.push(textOf(parts));
      return [];
    }
    return [{ role: role === "assistant" ? "assistant" : "user", parts }];
  });
}

function writeItems(message: Message): JsonObject[] {
  const items: JsonObject[] = [];
  const content: Json[] = [];
  for (const part of message.parts) {
    if (part.type === "text") {
      content.push({ type: message.role === "assistant" ? "output_text" : "input_text", text: part.text });
    } else if (part.type === "image") content.push({ type: "input_image", image_url: imageToUrl(part) });
    else if (part.type === "call") {
      items.push({ type: "function_call", call_id: part.id, name: part.name, arguments: part.input });
    } else items.push({ type: "function_call_output", call_id: part.id, output: part.text });
  }
  if (content.length > 0) {
    items.unshift({ role: message.role === "assistant" ? "assistant" : "user", content });
  }
  return items;
}

/** OpenAI Responses: `POST /v1/responses`. */
export const openaiResponses: Dialect = {
  name: "openai.responses",
  basePath: "/v1",
  path: () => "/responses",
  headers: (secret): Record<string, string> =>
    secret === undefined ? {} : { authorization: `Bearer ${secret}` },

  readRequest(body): ChatRequest {
    const system: string[] = [];
    if (typeof body["instructions"] === "string") system.push(body["instructions"]);
    const messages = readItems(body["input"], system);
    return {
      model: typeof body["model"] === "string" ? body["model"] : undefined,
      system: system.length > 0 ? system.join("\n\n") : undefined,
      messages,
      tools: asArray(body["tools"]).flatMap((item) => {
        const tool = asObject(item);
        if (tool["type"] !== "function") return [];
        return [
          {
            name: asText(tool["name"]),
            description: typeof tool["description"] === "string" ? tool["description"] : undefined,
            schema: asObject(tool["parameters"]),
          },
        ];
      }),
      maxTokens: asNumber(body["max_output_tokens"]),
      temperature: asNumber(body["temperature"]),
      topP: asNumber(body["top_p"]),
      stop: [],
      stream: body["stream"] === true,
    };
  },

  writeRequest(request, model, stream) {
    return compact({
      model,
      instructions: request.system,
      input: request.messages.flatMap(writeItems),
      tools:
        request.tools.length === 0
          ? undefined
          : request.tools.map((tool) =>
              compact({
                type: "function",
                name: tool.name,
                description: tool.description,
                parameters: tool.schema,
              }),
            ),
      max_output_tokens: request.maxTokens,
      temperature: request.temperature,
      top_p: request.topP,
      stream: stream ? true : undefined,
    });
  },

  adaptRequest: (body, model, stream) => (stream ? { ...body, model, stream: true } : { ...body, model }),

  readResponse(body): ChatResponse {
    const parts = asArray(body["output"]).flatMap((entry): Part[] => {
      const item = asObject(entry);
      if (item["type"] === "message") return readContent(item["content"]);
      if (item["type"] !== "function_call") return [];
      return [
        {
          type: "call",
          id: asText(item["call_id"]),
          name: asText(item["name"]),
          input: asText(item["arguments"]),
        },
      ];
    });
    const usage = asObject(body["usage"]);
    const incomplete = asText(asObject(body["incomplete_details"])["reason"]);
    return {
      id: asText(body["id"]),
      model: asText(body["model"]),
      parts,
      finish:
        incomplete === "max_output_tokens"
          ? "length"
          : incomplete === "content_filter"
            ? "filter"
            : parts.some((part) => part.type === "call")
              ? "tool"
              : "stop",
      usage: { input: asNumber(usage["input_tokens"]) ?? 0, output: asNumber(usage["output_tokens"]) ?? 0 },
    };
  },

  writeResponse(response, time) {
    const text = textOf(response.parts);
    const cut = response.finish === "length" || response.finish === "filter";
    return {
      id: response.id,
      object: "response",
      created_at: Math.floor(time / 1000),
      status: cut ? "incomplete" : "completed",
      incomplete_details: cut
        ? { reason: response.finish === "length" ? "max_output_tokens" : "content_filter" }
        : null,
      model: response.model,
      output: [
        ...(text === ""
          ? []
          : [
              {
                type: "message",
                id: `msg_${response.id}`,
                status: "completed",
                role: "assistant",
                content: [{ type: "output_text", text, annotations: [] }],
              },
            ]),
        ...response.parts.flatMap((part) =>
          part.type === "call"
            ? [
                {
                  type: "function_call",
                  id: `fc_${part.id}`,
                  call_id: part.id,
                  name: part.name,
                  arguments: part.input,
                  status: "completed",
                },
              ]
            : [],
        ),
      ],
      usage: {
        input_tokens: response.usage.input,
        output_tokens: response.usage.output,
        total_tokens: response.usage.input + response.usage.output,
      },
    };
  },

  readEvent(event, data): Delta[] {
    const body = parseObject(data);
    const response = asObject(body["response"]);
    switch (asText(body["type"]) || event) {
      case "response.created":
        return [{ type: "start", id: asText(response["id"]), model: asText(response["model"]) }];
      case "response.output_text.delta":
        return [{ type: "text", text: asText(body["delta"]) }];
      case "response.output_item.added": {
        const item = asObject(body["item"]);
        if (item["type"] !== "function_call") return [];
        return [
          {
            type: "call",
            index: asNumber(body["output_index"]) ?? 0,
            id: asText(item["call_id"]),
            name: asText(item["name"]),
            input: "",
          },
        ];
      }
      case "response.function_call_arguments.delta":
        return [{ type: "call", index: asNumber(body["output_index"]) ?? 0, input: asText(body["delta"]) }];
      case "response.completed":
      case "response.incomplete": {
        const whole = openaiResponses.readResponse(response);
        return [{ type: "usage", ...whole.usage }, { type: "finish", finish: whole.finish }, { type: "end" }];
      }
      case "response.failed":
        return [
          { type: "error", message: asText(asObject(response["error"])["message"]) || "response failed" },
        ];
      case "error":
        return [{ type: "error", message: asText(body["message"]) || data }];
      default:
        return [];
    }
  },
};
