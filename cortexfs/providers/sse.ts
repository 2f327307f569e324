import { fail } from "../../src/base/errors.ts";

/** One server-sent event, by the HTML standard: fields joined, comments dropped. */
export interface ServerEvent {
  readonly event: string | undefined;
  readonly data: string;
}

/**
 * Parse `text/event-stream`, whatever way its bytes are cut. An event that the connection cuts in two is dropped.
 * Bytes that are no UTF-8 are a Failure `unavailable`.
 */
export class EventParser {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #rest = "";
  #event: string | undefined;
  #data: string[] = [];

  push(chunk: Uint8Array): ServerEvent[] {
    try {
      this.#rest += this.#decoder.decode(chunk, { stream: true });
    } catch {
      throw fail("unavailable", "the provider's stream is not valid UTF-8");
    }
    const events: ServerEvent[] = [];
    let from = 0;
    for (;;) {
      const end = this.#rest.indexOf("\n", from);
      if (end < 0) break;
      const line = this.#rest.slice(from, this.#rest[end - 1] === "\r" && end > from ? end - 1 : end);
      from = end + 1;
      const event = this.#line(line);
      if (event !== undefined) events.push(event);
    }
    this.#rest = this.#rest.slice(from);
    return events;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === "") {
      const event = this.#data.length > 0 ? { event: this.#event, data: this.#data.join("\n") } : undefined;
      this.#event = undefined;
      this.#data = [];
      return event;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    return undefined;
  }
}
