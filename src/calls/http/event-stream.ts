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
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of parts) {
    rest += decoder.decode(part, { stream: true });
    // A CR at the very end may be half of an end.
    const isSplit = rest.endsWith("\r");
    const lines = (isSplit ? rest.slice(0, -1) : rest).split(/\r\n|\n|\r/);
    rest = lines.pop()! + (isSplit ? "\r" : "");
    yield* lines;
    if (rest.length > limit) throw tooLong(limit, from);
  }
}

function tooLong(limit: number, from: string) {
  return callError("communication", `${from}: the answer is over ${limit} bytes`);
}
