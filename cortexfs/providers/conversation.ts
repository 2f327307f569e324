import type { Json, JsonObject } from "../../src/base/json.ts";

/**
 * A model conversation apart from any provider's wire format. Every format reads into it and writes from it, so four
 * formats need four dialects and not twelve converters.
 */
export interface ChatRequest {
  readonly model: string | undefined;
  readonly system: string | undefined;
  readonly messages: readonly Message[];
  readonly tools: readonly Tool[];
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly stop: readonly string[];
  readonly stream: boolean;
}

export interface Message {
  readonly role: "user" | "assistant" | "tool";
  readonly parts: readonly Part[];
}

export type Part =
  | { readonly type: "text"; readonly text: string }
  /** Either base64 data with its media type, or a URL. */
  | { readonly type: "image"; readonly mediaType?: string; readonly data?: string; readonly url?: string }
  /** `input` is JSON text, as models produce it piece by piece. */
  | { readonly type: "call"; readonly id: string; readonly name: string; readonly input: string }
  | { readonly type: "result"; readonly id: string; readonly name?: string; readonly text: string };

export interface Tool {
  readonly name: string;
  readonly description: string | undefined;
  readonly schema: JsonObject;
}

export type Finish = "stop" | "length" | "tool" | "filter";

export interface Usage {
  readonly input: number;
  readonly output: number;
}

export interface ChatResponse {
  readonly id: string;
  readonly model: string;
  readonly parts: readonly Part[];
  readonly finish: Finish;
  readonly usage: Usage;
}

/** One step of a streamed answer. */
export type Delta =
  | { readonly type: "start"; readonly id?: string; readonly model?: string; readonly input?: number }
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "call";
      readonly index: number;
      readonly id?: string;
      readonly name?: string;
      readonly input: string;
    }
  | { readonly type: "usage"; readonly input?: number; readonly output?: number }
  | { readonly type: "finish"; readonly finish: Finish }
  | { readonly type: "error"; readonly message: string }
  /** The provider said that the stream is complete; without it the connection was cut. */
  | { readonly type: "end" };

export type FormatName =
  | "openai.chat"
  | "openai.responses"
  | "anthropic.messages"
  | "google.generate_content";

/** One wire format. Readers refuse with `invalid_request`; they take any member order and ignore unknown members. */
export interface Dialect {
  readonly name: FormatName;
  readonly readRequest: (body: JsonObject) => ChatRequest;
  readonly writeRequest: (request: ChatRequest, model: string, stream: boolean) => JsonObject;
  /** The caller's own body with the model and the streaming switch as they must be; all else stays. */
  readonly adaptRequest: (body: JsonObject, model: string, stream: boolean) => JsonObject;
  readonly readResponse: (body: JsonObject) => ChatResponse;
  readonly writeResponse: (response: ChatResponse, time: number) => JsonObject;
  /** Path and query below the base URL. */
  readonly path: (model: string, stream: boolean) => string;
  /** The version segment that a base URL without a path gets. */
  readonly basePath: string;
  readonly headers: (secret: string | undefined) => Record<string, string>;
  readonly readEvent: (event: string | undefined, data: string) => Delta[];
}

/** Text of all text parts. */
export function textOf(parts: readonly Part[]): string {
  return parts
    .map((part) => (part.type === "text" ? part.text : part.type === "result" ? part.text : ""))
    .join("");
}

/** Put a streamed answer together. */
export class ResponseBuilder {
  #id = "";
  #model: string;
  #text = "";
  #input = 0;
  #output = 0;
  #finish: Finish = "stop";
  #finished = false;
  readonly #calls = new Map<number, { id: string; name: string; input: string }>();
  error: string | undefined;
  ended = false;

  constructor(model: string) {
    this.#model = model;
  }

  add(delta: Delta): void {
    switch (delta.type) {
      case "start":
        this.#id = delta.id || this.#id;
        this.#model = delta.model || this.#model;
        this.#input = delta.input ?? this.#input;
        break;
      case "text":
        this.#text += delta.text;
        break;
      case "call": {
        // Google numbers the calls of each chunk from zero: a second beginning at an index is another call.
        let index = delta.index;
        while (delta.name !== undefined && this.#calls.has(index)) index++;
        const call = this.#calls.get(index) ?? { id: "", name: "", input: "" };
        call.id = delta.id ?? call.id;
        call.name = delta.name ?? call.name;
        call.input += delta.input;
        this.#calls.set(index, call);
        break;
      }
      case "usage":
        this.#input = delta.input ?? this.#input;
        this.#output = delta.output ?? this.#output;
        break;
      case "finish":
        this.#finish = delta.finish;
        this.#finished = true;
        break;
      case "error":
        this.error = delta.message;
        break;
      case "end":
        this.ended = true;
        break;
    }
  }

  /** Neither text, nor a call, nor a reason to have said nothing. */
  get isEmpty(): boolean {
    return this.#text === "" && this.#calls.size === 0 && !this.#finished;
  }

  response(): ChatResponse {
    const calls = [...this.#calls.entries()].sort(([a], [b]) => a - b).map(([, call]) => call);
    return {
      id: this.#id,
      model: this.#model,
      parts: [
        ...(this.#text === "" ? [] : [{ type: "text" as const, text: this.#text }]),
        ...calls.map((call) => ({ type: "call" as const, ...call })),
      ],
      finish: this.#finish,
      usage: { input: this.#input, output: this.#output },
    };
  }
}

export const asObject = (value: Json | undefined): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
export const asArray = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);
export const asText = (value: Json | undefined): string => (typeof value === "string" ? value : "");
export const asNumber = (value: Json | undefined): number | undefined =>
  typeof value === "number" ? value : undefined;
export const asTexts = (value: Json | undefined): string[] =>
  typeof value === "string"
    ? [value]
    : asArray(value).filter((item): item is string => typeof item === "string");

/** Leave out members that are undefined, so that they do not become null on the wire. */
export function compact(members: Record<string, Json | undefined>): JsonObject {
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(members)) if (value !== undefined) result[key] = value;
  return result;
}

export function parseObject(text: string): JsonObject {
  try {
    return asObject(JSON.parse(text) as Json);
  } catch {
    return {};
  }
}

/** `data:<type>;base64,<data>` apart, or the URL as it is. */
export function imageFromUrl(url: string): Part {
  const match = /^data:([^;,]+);base64,(.*)$/s.exec(url);
  return match === null ? { type: "image", url } : { type: "image", mediaType: match[1]!, data: match[2]! };
}

export function imageToUrl(part: Part & { type: "image" }): string {
  return part.url ?? `data:${part.mediaType ?? "application/octet-stream"};base64,${part.data ?? ""}`;
}
