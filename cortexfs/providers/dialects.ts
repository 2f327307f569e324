import { anthropicMessages } from "./anthropic.ts";
import type { Dialect, FormatName } from "./conversation.ts";
import { googleGenerateContent } from "./google.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";

export const DIALECTS: Readonly<Record<FormatName, Dialect>> = {
  "openai.chat": openaiChat,
  "openai.responses": openaiResponses,
  "anthropic.messages": anthropicMessages,
  "google.generate_content": googleGenerateContent,
};

export const FORMATS = Object.keys(DIALECTS) as FormatName[];

export function isFormat(name: string): name is FormatName {
  return Object.hasOwn(DIALECTS, name);
}
