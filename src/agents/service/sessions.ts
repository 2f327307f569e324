import type { JsonObject } from "../../base/json.ts";

const SESSIONS = 1000;
const MESSAGES = 50;
const CHARACTERS = 64 * 1024;

/** What was said in each conversation, in memory: the newest of it, of the conversations that were used last. */
export class Sessions {
  readonly #sessions = new Map<string, JsonObject[]>();

  of(id: string): readonly JsonObject[] {
    return this.#sessions.get(id) ?? [];
  }

  add(id: string, asked: string, answered: string): void {
    const messages = [
      ...this.of(id),
      { role: "user", content: asked },
      { role: "assistant", content: answered },
    ];
    let size = 0;
    const kept: JsonObject[] = [];
    for (const message of messages.slice(-MESSAGES).reverse()) {
      size += String(message["content"]).length;
      if (size > CHARACTERS) break;
      kept.unshift(message);
    }
    this.#sessions.delete(id);
    if (this.#sessions.size >= SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!);
    this.#sessions.set(id, kept);
  }
}
