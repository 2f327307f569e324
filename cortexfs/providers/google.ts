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

const FINISH: Readonly<Record<string, Finish>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  SAFETY: "filter",
  RECITATION: "filter",
  BLOCKLIST: "filter",
  PROHIBITED_CONTENT: "filter",
};
const FINISH_TEXT = { stop: "STOP", length: "MAX_TOKENS", tool: "STOP", filter: "SAFETY" } as const;

function readPart(item: Json): Part[] {
  const part = asObject(item);
  if (typeof part["text"] === "string") {
    return part["thought"] === true ? [] : [{ type: "text", text: part["text"] }];
  }
  const inline = asObject(part["inlineData"] ?? part["inline_data"]);
  if (typeof inline["data"] === "string") {
    return [
      { type: "image", mediaType: asText(inline["mimeType"] ?? inline["mime_type"]), data: inline["data"] },
    ];
  }
  const file = asObject(part["fileData"]);
  if (typeof file["fileUri"] === "string") return [{ type: "image", url: file["fileUri"] }];
  const call = asObject(part["functionCall"]);
  if (typeof call["name"] === "string") {
    const id = asText(call["id"]) || `call_${call["name"]}`;
    return [{ type: "call", id, name: call["name"], input: JSON.stringify(call["args"] ?? {}) }];
  }
  const result = asObject(part["functionResponse"]);
  if (typeof result["name"] === "string") {
    const id = asText(result["id"]) || `call_${result["name"]}`;
    return [{ type: "result", id, name: result["name"], text: JSON.stringify(result["response"] ?? {}) }];
  }
  return [];
}

/** Results name the function, not the call: the names are found from the calls that came before. */
function writePart(part: Part, names: Map<string, string>): JsonObject {
  switch (part.type) {
    case "text":
      return { text: part.text };
    case "image":
      return part.data === undefined
        ? { fileData: { fileUri: part.url ?? "" } }
        : { inlineData: { mimeType: part.mediaType ?? "", data: part.data } };
    case "call":
      names.set(part.id, part.name);
      return { functionCall: { name: part.name, args: parseObject(part.input) } };
    case "result": {
      const value = parseObject(part.text);
      return {
        functionResponse: {
          name: part.name ?? names.get(part.id) ?? part.id,
          response: Object.keys(value).length > 0 ? value : { result: part.text },
        },
      };
    }
  }
}

function writeContents(messages: readonly Message[]): JsonObject[] {
  const names = new Map<string, string>();
  const result: { role: string; parts: Json[] }[] = [];
  for (const message of messages) {
    const role = message.role === "assistant" ? "model" : "user";
    const parts = message.parts.map((part) => writePart(part, names));
    const last = result.at(-1);
    if (last?.role === role) last.parts.push(...parts);
    else result.push({ role, parts });
  }
  return result;
}

const readParts = (content: Json | undefined): Part[] =>
  asArray(asObject(content)["parts"]).flatMap(readPart);

/** Google Generative Language: `POST /v1beta/models/{model}:generateContent`. */
export const googleGenerateContent: Dialect = {
  name: "google.generate_content",
  basePath: "/v1beta",
  path: (model, stream) =>
    `/models/${encodeURIComponent(model)}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
  headers: (secret): Record<string, string> => (secret === undefined ? {} : { "x-goog-api-key": secret }),

  readRequest(body): ChatRequest {
    const settings = asObject(body["generationConfig"] ?? body["generation_config"]);
    const system = textOf(readParts(body["systemInstruction"] ?? body["system_instruction"]));
    return {
      model: typeof body["model"] === "string" ? body["model"] : undefined,
      system: system === "" ? undefined : system,
      messages: asArray(body["contents"]).map((item) => {
        const parts = readParts(item);
        const role = asObject(item)["role"] === "model" ? "assistant" : "user";
        return { role: parts.some((part) => part.type === "result") ? "tool" : role, parts };
      }),
      tools: asArray(body["tools"]).flatMap((item) =>
        asArray(asObject(item)["functionDeclarations"]).map((entry) => {
          const tool = asObject(entry);
          return {
            name: asText(tool["name"]),
            description: typeof tool["description"] === "string" ? tool["description"] : undefined,
            schema: asObject(tool["parameters"]),
          };
        }),
      ),
      maxTokens: asNumber(settings["maxOutputTokens"]),
      temperature: asNumber(settings["temperature"]),
      topP: asNumber(settings["topP"]),
      stop: asTexts(settings["stopSequences"]),
      // The wire format switches streaming by its path; a file has only its body to say it.
      stream: body["stream"] === true,
    };
  },

  writeRequest(request) {
    const settings = compact({
      maxOutputTokens: request.maxTokens,
      temperature: request.temperature,
      topP: request.topP,
      stopSequences: request.stop.length > 0 ? [...request.stop] : undefined,
    });
    return compact({
      contents: writeContents(request.messages),
      systemInstruction: request.system === undefined ? undefined : { parts: [{ text: request.system }] },
      tools:
        request.tools.length === 0
          ? undefined
          : [
              {
                functionDeclarations: request.tools.map((tool) =>
                  compact({ name: tool.name, description: tool.description, parameters: tool.schema }),
                ),
              },
            ],
      generationConfig: Object.keys(settings).length > 0 ? settings : undefined,
    });
  },

  adaptRequest(body) {
    const { model: _model, stream: _stream, ...rest } = body;
    return rest;
  },

  readResponse(body): ChatResponse {
    const candidate = asObject(asArray(body["candidates"])[0]);
    const parts = readParts(candidate["content"]);
    const usage = asObject(body["usageMetadata"]);
    return {
      id: asText(body["responseId"]),
      model: asText(body["modelVersion"]),
      parts,
      finish: parts.some((part) => part.type === "call")
        ? "tool"
        : (FINISH[asText(candidate["finishReason"])] ?? "stop"),
      usage: {
        input: asNumber(usage["promptTokenCount"]) ?? 0,
        output: asNumber(usage["candidatesTokenCount"]) ?? 0,
      },
    };
  },

  writeResponse(response) {
    const names = new Map<string, string>();
    return {
      candidates: [
        {
          content: { role: "model", parts: response.parts.map((part) => writePart(part, names)) },
          finishReason: FINISH_TEXT[response.finish],
          index: 0,
        },
      ],
      usageMetadata: {
        promptTokenCount: response.usage.input,
        candidatesTokenCount: response.usage.output,
        totalTokenCount: response.usage.input + response.usage.output,
      },
      modelVersion: response.model,
      responseId: response.id,
    };
  },

  readEvent(_event, data): Delta[] {
    const body = parseObject(data);
    if (body["error"] !== undefined && body["error"] !== null) {
      return [{ type: "error", message: asText(asObject(body["error"])["message"]) || data }];
    }
    const whole = googleGenerateContent.readResponse(body);
    const deltas: Delta[] = [
      {
        type: "start",
        ...(whole.id ? { id: whole.id } : {}),
        ...(whole.model ? { model: whole.model } : {}),
      },
    ];
    for (const [index, part] of whole.parts.entries()) {
      if (part.type === "text") deltas.push({ type: "text", text: part.text });
      if (part.type === "call")
        deltas.push({ type: "call", index, id: part.id, name: part.name, input: part.input });
    }
    if (body["usageMetadata"] !== undefined) deltas.push({ type: "usage", ...whole.usage });
    // There is no closing event: the reason to finish is the last thing said.
    const candidate = asObject(asArray(body["candidates"])[0]);
    if (typeof candidate["finishReason"] === "string") {
      deltas.push({ type: "finish", finish: whole.finish }, { type: "end" });
    }
    return deltas;
  },
};
