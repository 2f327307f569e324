import { callError } from "../error.ts";

export interface ServerEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

/**
 * Server-sent events (WHATWG HTML, 9.2.6). An event that the end of the stream cuts off is not one.
 * @throws CallError `communication` when an event alone is over `limit` bytes
 */
export async function* serverEvents(
  parts: AsyncIterable<Uint8Array>,
  limit: number,
  from: string,
): AsyncGenerator<ServerEvent> {
  let event = "";
  let data: string[] = [];
  for await (const line of textLines(parts, limit, from)) {
    if (line === "") {
      if (data.length > 0) yield { event: event === "" ? "message" : event, data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (field === "data") data.push(value ?? "");
    else if (field === "event") event = value ?? "";
    if (data.reduce((sum, text) => sum + text.length, 0) > limit) throw tooLong(limit, from);
  }
}

/** Lines that end in LF, CR or both; what stands behind the last end is left out. */
export async function* textLines(
  parts: AsyncIterable<Uint8Array>,
  limit: number,
  from: string,
): AsyncGenerator<string> {
  const cutter = new LineCutter();
  for await (const part of parts) {
    yield* cutter.add(part);
    if (cutter.rest.length > limit) throw tooLong(limit, from);
  }
}

/** Cuts bytes that come in parts into such lines. */
export class LineCutter {
  readonly #decoder = new TextDecoder();
  /** What stands behind the last end so far. */
  rest = "";

  /** The lines that this part completes. */
  add(part: Uint8Array): string[] {
    const text = this.rest + this.#decoder.decode(part, { stream: true });
    // A CR at the very end may be half of an end.
    const isSplit = text.endsWith("\r");
    const lines = (isSplit ? text.slice(0, -1) : text).split(/\r\n|\n|\r/);
    this.rest = lines.pop()! + (isSplit ? "\r" : "");
    return lines;
  }
}

function tooLong(limit: number, from: string) {
  return callError("communication", `${from}: the answer is over ${limit} bytes`);
}
