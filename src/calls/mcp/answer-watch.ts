import type { Json } from "../../base/json.ts";
import { LineCutter } from "../http/event-stream.ts";

/**
 * Reads along in the stream of Server-Sent Events that answers one message of JSON-RPC: whether the answer was in it,
 * and whether it can be resumed where it ends. What the bytes say is known when they pass; how long the client takes to
 * read them, and to do what follows from them, is not.
 */
export class AnswerWatch {
  /** Whether an event had an id. */
  isResumable = false;
  /** Whether a whole event was the answer. */
  hasAnswer = false;
  readonly #id: Json;
  readonly #cutter = new LineCutter();
  #data: string[] = [];

  /** @param id of the message that is to be answered */
  constructor(id: Json) {
    this.#id = id;
  }

  add(part: Uint8Array): void {
    for (const line of this.#cutter.add(part)) this.#line(line);
  }

  #line(line: string): void {
    if (line.startsWith("id:")) this.isResumable = true;
    if (line.startsWith("data:")) this.#data.push(line.slice("data:".length));
    if (line !== "") return;
    this.hasAnswer ||= this.#answers(this.#data.join("\n"));
    this.#data = [];
  }

  #answers(data: string): boolean {
    try {
      const { jsonrpc, id, result, error } = JSON.parse(data);
      return jsonrpc === "2.0" && id === this.#id && (result !== undefined || error !== undefined);
    } catch {
      return false;
    }
  }
}
