import { fail } from "../../../base/errors.ts";

/**
 * The requests of the E2B API and of the daemon inside its sandboxes (`envd`, Connect over HTTP) that a task needs. Its
 * own client is not used: it keeps all output of a command in memory, and as text, which changes bytes that are no UTF-8.
 */
export interface E2bConnection {
  /** `https://api.e2b.app`, or that of a compatible service. */
  readonly url: string;
  /** Where sandboxes are reached when not at `49983-<id>.<domain>`; the request then names the sandbox in its head. */
  readonly sandboxUrl?: string;
  readonly key: () => string;
}

export interface E2bSandbox {
  readonly sandboxID: string;
  readonly domain?: string | null;
  readonly envdAccessToken?: string | null;
}

export interface E2bListed {
  readonly sandboxID: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface E2bProcessEvent {
  readonly start?: { readonly pid: number };
  readonly data?: { readonly stdout?: string; readonly stderr?: string };
  readonly end?: { readonly exitCode?: number; readonly exited?: boolean; readonly status?: string };
}

const ENVD_PORT = 49_983;
const REQUEST_MS = 60_000;
/** What one look by metadata gives at most. */
const LIST_LIMIT = 200;
/** Of one message of a stream, and of an answer that is read whole. */
const MESSAGE_BYTES = 16 << 20;
/** In the micro-VM the task is alone, and its paths are the runner's own. */
const USER = "root";

export interface E2bApi {
  create(body: object): Promise<E2bSandbox>;
  list(metadata: Readonly<Record<string, string>>): Promise<readonly E2bListed[]>;
  /** Also when it is gone already. */
  remove(id: string): Promise<void>;
  extend(id: string, seconds: number): Promise<void>;
  upload(sandbox: E2bSandbox, path: string, bytes: Blob): Promise<void>;
  download(sandbox: E2bSandbox, path: string): Promise<ReadableStream<Uint8Array>>;
  start(sandbox: E2bSandbox, process: object, signal: AbortSignal): AsyncGenerator<E2bProcessEvent>;
  /** A call of the process service that answers once: `SendSignal`, `SendInput`, `CloseStdin`. */
  tell(sandbox: E2bSandbox, method: string, body: object): Promise<void>;
}

export function e2bApi({ url, sandboxUrl, key }: E2bConnection): E2bApi {
  const send = async (target: string | URL, init: RequestInit, allowed: readonly number[] = []) => {
    const response = await fetch(target, {
      redirect: "manual",
      signal: AbortSignal.timeout(REQUEST_MS),
      timeout: false,
      ...init,
    } as RequestInit);
    if (response.ok || allowed.includes(response.status)) return response;
    const said = (await response.text().catch(() => "")).slice(0, 300);
    throw fail("execution_start_failed", `the sandbox service answered ${response.status}: ${said}`);
  };
  const control = (method: string, path: string, body?: object, allowed?: readonly number[]) =>
    send(
      new URL(path, url.endsWith("/") ? url : `${url}/`),
      {
        method,
        headers: { "x-api-key": key(), "content-type": "application/json", accept: "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      allowed,
    );
  const drop = async (response: Promise<Response>) => void (await (await response).body?.cancel());
  const inside = (sandbox: E2bSandbox, path: string): string =>
    `${sandboxUrl ?? `https://${ENVD_PORT}-${sandbox.sandboxID}.${sandbox.domain ?? "e2b.app"}`}${path}`;
  const headersOf = (sandbox: E2bSandbox): Record<string, string> => ({
    authorization: `Basic ${btoa(`${USER}:`)}`,
    "connect-protocol-version": "1",
    "e2b-sandbox-id": sandbox.sandboxID,
    "e2b-sandbox-port": String(ENVD_PORT),
    ...(sandbox.envdAccessToken ? { "x-access-token": sandbox.envdAccessToken } : {}),
  });
  return {
    create: async (body) => (await (await control("POST", "sandboxes", body)).json()) as E2bSandbox,
    async list(metadata) {
      const query = new URLSearchParams({
        metadata: new URLSearchParams(metadata).toString(),
        limit: String(LIST_LIMIT),
      });
      return (await (await control("GET", `v2/sandboxes?${query}`)).json()) as E2bListed[];
    },
    remove: (id) => drop(control("DELETE", `sandboxes/${encodeURIComponent(id)}`, undefined, [404])),
    extend: (id, timeout) =>
      drop(control("POST", `sandboxes/${encodeURIComponent(id)}/timeout`, { timeout })),
    async upload(sandbox, path, bytes) {
      const form = new FormData();
      form.append("file", bytes, path);
      const query = new URLSearchParams({ path, username: USER });
      const { "connect-protocol-version": _, ...headers } = headersOf(sandbox);
      await drop(send(inside(sandbox, `/files?${query}`), { method: "POST", headers, body: form }));
    },
    async download(sandbox, path) {
      const query = new URLSearchParams({ path, username: USER });
      const { "connect-protocol-version": _, ...headers } = headersOf(sandbox);
      const response = await send(inside(sandbox, `/files?${query}`), { headers });
      return response.body!;
    },
    async *start(sandbox, process, signal) {
      const response = await send(inside(sandbox, "/process.Process/Start"), {
        method: "POST",
        headers: { ...headersOf(sandbox), "content-type": "application/connect+json" },
        body: envelope(process),
        signal,
      });
      for await (const { flags, message } of envelopes(response.body!)) {
        const value = JSON.parse(message) as { event?: E2bProcessEvent; error?: { message?: string } };
        if ((flags & 2) === 0) yield value.event ?? {};
        else if (value.error === undefined) return;
        else
          throw fail("execution_outcome_unknown", `the sandbox says: ${value.error.message ?? "an error"}`);
      }
    },
    tell: (sandbox, method, body) =>
      drop(
        send(inside(sandbox, `/process.Process/${method}`), {
          method: "POST",
          headers: { ...headersOf(sandbox), "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      ),
  };
}

/** Connect's framing of a stream: flags, the length as four bytes, the message. */
export function envelope(value: object, flags = 0): Uint8Array<ArrayBuffer> {
  const message = new TextEncoder().encode(JSON.stringify(value));
  const framed = new Uint8Array(5 + message.length);
  framed[0] = flags;
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  return framed;
}

async function* envelopes(stream: ReadableStream<Uint8Array>) {
  let parts: Uint8Array[] = [];
  let size = 0;
  let wanted = 5;
  for await (const part of stream as unknown as AsyncIterable<Uint8Array>) {
    parts.push(part);
    size += part.length;
    if (size < wanted) continue;
    let bytes = parts.length === 1 ? Buffer.from(parts[0]!) : Buffer.concat(parts);
    for (;;) {
      wanted = bytes.length < 5 ? 5 : 5 + bytes.readUInt32BE(1);
      if (wanted > MESSAGE_BYTES)
        throw fail("execution_outcome_unknown", "a message of the sandbox is too long");
      if (bytes.length < wanted) break;
      yield { flags: bytes[0]!, message: bytes.toString("utf8", 5, wanted) };
      bytes = bytes.subarray(wanted);
    }
    parts = [bytes];
    size = bytes.length;
  }
}
