import type { Socket } from "node:net";

const EMPTY_LINE = "\r\n\r\n";
const REQUEST_HEAD_BYTES = 16 * 1024;
const ANSWER_HEAD_BYTES = 256 * 1024;

export interface Asked {
  readonly url: URL;
  /** For plain HTTP: the head as the server is to see it. */
  readonly head: string | null;
}

/**
 * The head of a connection's first request, without the empty line behind it, and what came along of what follows it.
 * The connection is paused then.
 * @throws Error where the connection ends before, or the head is longer than 16 KiB
 */
export function readRequestHead(client: Socket): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const stop = (reason: string) => {
      client.off("data", onData).pause();
      reject(new Error(reason));
    };
    const onData = (part: Buffer) => {
      bytes = Buffer.concat([bytes, part]);
      const end = bytes.indexOf(EMPTY_LINE);
      if (end > REQUEST_HEAD_BYTES || (end < 0 && bytes.length > REQUEST_HEAD_BYTES))
        return stop("the head is too long");
      if (end < 0) return;
      client.off("data", onData).pause();
      resolve({ head: bytes.toString("latin1", 0, end), rest: bytes.subarray(end + EMPTY_LINE.length) });
    };
    client.on("data", onData);
    for (const event of ["end", "close"]) client.once(event, () => stop("ended within the head"));
  });
}

/** `CONNECT host:port`, or a request with an absolute address, which becomes one for that server alone. */
export function parseRequestHead(head: string): Asked | null {
  const [first = "", ...fields] = head.split("\r\n");
  const match = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(first);
  if (match === null || fields.some(isMisread)) return null;
  const [, method, target] = match as unknown as [string, string, string];
  try {
    if (method === "CONNECT") return { url: new URL(`https://${target}`), head: null };
    if (!target.startsWith("http://")) return null;
    const url = new URL(target);
    const own = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `Host: ${url.host}`];
    const kept = fields.filter((field) => !/^host:/i.test(field));
    return { url, head: closing(own, kept) };
  } catch {
    return null;
  }
}

/**
 * A server's answer as the client is to see it: no second request goes over this connection. A server that was asked to
 * close need not say that it does, and the client would send its next request into the end of the connection.
 */
export async function* closingAnswer(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  let isAnswered = false;
  for await (const part of source) {
    bytes = isAnswered ? part : Buffer.concat([bytes, part]);
    while (!isAnswered) {
      const end = bytes.indexOf(EMPTY_LINE);
      if (end < 0) break;
      const [status = "", ...fields] = bytes.toString("latin1", 0, end).split("\r\n");
      bytes = bytes.subarray(end + EMPTY_LINE.length);
      // `100 Continue` and its like go before the answer itself.
      isAnswered = !/^HTTP\/1\.[01] 1\d\d/.test(status);
      const head = isAnswered ? closing([status], fields) : [status, ...fields, "", ""].join("\r\n");
      yield Buffer.from(head, "latin1");
    }
    if (isAnswered) yield bytes;
    else if (bytes.length > ANSWER_HEAD_BYTES) throw new Error("the head of the answer is too long");
  }
  if (!isAnswered) yield bytes;
}

/** What one server takes for a line of its own, and another for a part of the line before. */
const isMisread = (field: string): boolean => /^[ \t]|[\r\n\0]/.test(field);

/** Fields that are between two neighbours on the way (RFC 9110, 7.6.1). */
const HOP_BY_HOP = /^(connection|keep-alive|proxy-[a-z-]+):/i;

function closing(own: readonly string[], fields: readonly string[]): string {
  const kept = fields.filter((field) => !HOP_BY_HOP.test(field));
  return [...own, "Connection: close", ...kept, "", ""].join("\r\n");
}
