import type { JsonObject } from "../../base/json.ts";

const MESSAGES = 50;
const CHARACTERS = 64 * 1024;

/** What a conversation remembers once this was said too: the newest of it. */
export function remembered(
  before: readonly JsonObject[],
  asked: string,
  answered: string,
): readonly JsonObject[] {
  const messages = [
    ...before,
    { role: "user", content: asked },
    { role: "assistant", content: answered },
  ].slice(-MESSAGES);
  let size = 0;
  let from = messages.length;
  while (from > 0) {
    size += String(messages[from - 1]!.content).length;
    if (size > CHARACTERS) break;
    from--;
  }
  return messages.slice(from);
}
