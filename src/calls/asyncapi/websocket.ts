import { LIMITS } from "../../base/limits.ts";
import type { Credentials } from "../authentication/credentials.ts";
import type { CallScope } from "../call.ts";
import { parseAddress } from "../destination/address.ts";
import { checkDestination, hostName, place } from "../destination/check.ts";
import { pinned, tlsOptions } from "../destination/fetch.ts";
import { callError } from "../error.ts";

export interface OpenSocket {
  readonly socket: WebSocket;
  /** Messages as they arrive: text, or bytes as base64. Ends with the connection when that is closed in order. */
  messages(): AsyncGenerator<string>;
}

/** Codes of RFC 6455, 7.4.1, for a connection that has served its purpose. */
const IN_ORDER = new Set([1000, 1001]);

/** A WebSocket to an address that the destination policy admitted, under the name that the document wrote. */
export async function openWebSocket(
  url: URL,
  headers: Headers,
  credentials: Credentials | undefined,
  scope: CallScope,
): Promise<OpenSocket> {
  const { addresses } = await checkDestination(url, scope);
  const asked = { method: "GET", url };
  const all = new Headers(headers);
  for (const [name, value] of Object.entries((await credentials?.headersFor(asked, scope)) ?? {}))
    all.set(name, value);
  const targets = addresses === undefined || parseAddress(hostName(url)) ? [undefined] : addresses;
  for (const [index, address] of targets.entries()) {
    if (address !== undefined) all.set("host", url.host);
    const opened = await connect(url, address, all, scope);
    if (opened !== undefined) return opened;
    if (scope.signal.aborted || index + 1 === targets.length) break;
  }
  throw callError("communication", `${place(url)}: no WebSocket connection`);
}

function connect(
  url: URL,
  address: string | undefined,
  headers: Headers,
  scope: CallScope,
): Promise<OpenSocket | undefined> {
  const socket = new WebSocket(pinned(url, address), {
    headers: Object.fromEntries(headers),
    tls: tlsOptions(url, address, scope.trust),
    // A small frame must not unpack to a large message before its size is seen.
    perMessageDeflate: false,
  } as never);
  socket.binaryType = "arraybuffer";
  const inbox = new Inbox(place(url));
  socket.onmessage = ({ data }) =>
    inbox.put(typeof data === "string" ? data : Buffer.from(data).toString("base64"));
  const abort = () => socket.terminate();
  scope.signal.addEventListener("abort", abort, { once: true });
  return new Promise((resolve) => {
    socket.onopen = () => resolve({ socket, messages: () => inbox.take(socket) });
    socket.onclose = ({ code }) => {
      scope.signal.removeEventListener("abort", abort);
      inbox.end(IN_ORDER.has(code));
      resolve(undefined);
    };
    socket.onerror = () => resolve(undefined);
    if (scope.signal.aborted) abort();
  });
}

/** What has arrived and was not asked for yet. */
class Inbox {
  readonly #from: string;
  readonly #waiting: string[] = [];
  #size = 0;
  #end: "open" | "closed" | "broken" | "full" = "open";
  #wake: () => void = () => {};

  constructor(from: string) {
    this.#from = from;
  }

  put(text: string): void {
    this.#size += text.length;
    if (this.#size > LIMITS.callResponseBytes) this.#end = "full";
    else this.#waiting.push(text);
    this.#wake();
  }

  end(isInOrder: boolean): void {
    if (this.#end === "open") this.#end = isInOrder ? "closed" : "broken";
    this.#wake();
  }

  async *take(socket: WebSocket): AsyncGenerator<string> {
    try {
      for (;;) {
        const text = this.#waiting.shift();
        if (text !== undefined) {
          this.#size -= text.length;
          yield text;
        } else if (this.#end === "closed") return;
        else if (this.#end === "full")
          throw callError(
            "communication",
            `${this.#from}: the messages are over ${LIMITS.callResponseBytes} bytes`,
          );
        else if (this.#end === "broken")
          throw callError("communication", `${this.#from}: the connection broke off`);
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      socket.close(1000);
    }
  }
}
