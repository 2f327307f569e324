import type { Clock } from "../../src/base/clock.ts";
import type { JsonObject } from "../../src/base/json.ts";
import type { ExchangeStore } from "./store/store.ts";

export interface Thread {
  /** One JSON line a message, each with its newline. */
  text: string;
  count: number;
  updated: number;
  state: "idle" | "queued" | "running" | "cancelled" | "limit_exceeded";
  /** JSONL of the tool loop's steps since the mount. */
  steps: string;
  /** The request before this one in the same thread: messages keep their order. */
  tail: Promise<unknown>;
}

/** Conversations, read from the store when first asked for. */
export class Threads {
  readonly #store: ExchangeStore;
  readonly #clock: Clock;
  readonly #threads = new Map<string, Thread>();

  constructor(store: ExchangeStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  get(uid: number, id: string): Thread {
    const key = `${uid}/${id}`;
    let thread = this.#threads.get(key);
    if (thread === undefined) {
      const rows = this.#store.messages(uid, id);
      thread = {
        text: rows.map((row) => row.line).join(""),
        count: rows.length,
        updated: rows.at(-1)?.time ?? this.#clock.wall(),
        state: "idle",
        steps: "",
        tail: Promise.resolve(),
      };
      this.#threads.set(key, thread);
    }
    return thread;
  }

  messages(uid: number, id: string): JsonObject[] {
    return this.get(uid, id)
      .text.split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as JsonObject);
  }

  append(uid: number, id: string, messages: readonly JsonObject[]): void {
    const thread = this.get(uid, id);
    const time = this.#clock.wall();
    for (const message of messages) {
      const line = `${JSON.stringify(message)}\n`;
      this.#store.addMessage(uid, id, ++thread.count, line, time);
      thread.text += line;
    }
    thread.updated = time;
  }

  remove(uid: number, id: string): void {
    this.#threads.delete(`${uid}/${id}`);
    this.#store.deleteMessages(uid, id);
  }
}
