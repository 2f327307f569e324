import { fail } from "../../../base/errors.ts";
import { Sandbox } from "./e2b-library.ts";

/**
 * What a task needs of a service that speaks E2B's API. Sandboxes, their addresses and signatures are the matter of E2B's own
 * client. What goes on inside of one is not: there the task is root and answers as it likes, and the client follows its
 * redirects into the runner's network, and takes messages of any length.
 */
export interface E2bConnection {
  /** `https://api.e2b.app`, or that of a compatible service. */
  readonly url: string;
  /** Where sandboxes are reached when each has no name of its own; the request then names the sandbox in its head. */
  readonly sandboxUrl?: string;
  readonly key: () => string;
}

export interface E2bProcessEvent {
  readonly start?: { readonly pid: number };
  readonly data?: { readonly stdout?: string; readonly stderr?: string };
  readonly end?: { readonly exitCode?: number; readonly exited?: boolean; readonly status?: string };
}

export interface E2bWish {
  readonly template: string;
  readonly seconds: number;
  readonly internet: boolean;
  readonly metadata: Readonly<Record<string, string>>;
}

const ENVD_PORT = 49_983;
const REQUEST_MS = 60_000;
/** What one look by metadata gives at most. */
const LIST_PAGES = 10;
/** Of one message of a stream. */
const MESSAGE_BYTES = 16 << 20;
/** Of the reason that a sandbox gives for a refusal. */
const REASON_BYTES = 300;
/** In the micro-VM the task is alone, and its paths are the runner's own. */
const USER = "root";

/** The client keeps the token of a sandbox to itself and to what is made from it. */
export class E2bSandbox extends Sandbox {
  /** What every request to the daemon inside carries. */
  get daemonHeaders(): Record<string, string> {
    return {
      authorization: `Basic ${btoa(`${USER}:`)}`,
      "connect-protocol-version": "1",
      ...this.route,
      // A compatible service may say `null` for "none".
      ...(this.envdAccessToken ? { "x-access-token": this.envdAccessToken } : {}),
    };
  }

  /** Which sandbox is meant, where one address stands for all. */
  get route(): Record<string, string> {
    return { "e2b-sandbox-id": this.sandboxId, "e2b-sandbox-port": String(ENVD_PORT) };
  }
}

export interface E2bApi {
  create(wish: E2bWish): Promise<E2bSandbox>;
  /** The ids of those that carry all of it. */
  list(metadata: Readonly<Record<string, string>>): Promise<readonly string[]>;
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
  // What were missing here, the client would take from variables of its own.
  const options = () => ({
    apiKey: key(),
    apiUrl: url.replace(/\/$/, ""),
    domain: "e2b.app",
    debug: false,
    requestTimeoutMs: REQUEST_MS,
  });
  const inside = (sandbox: E2bSandbox, path: string): URL =>
    new URL(path, sandboxUrl ?? `https://${sandbox.getHost(ENVD_PORT)}`);
  const signed = (sandbox: E2bSandbox, url: string): URL => {
    const { pathname, search } = new URL(url);
    return inside(sandbox, `${pathname}${search}`);
  };
  return {
    create: ({ template, seconds, internet, metadata }) =>
      asked(
        E2bSandbox.create(template, {
          ...options(),
          timeoutMs: seconds * 1000,
          secure: true,
          allowInternetAccess: internet,
          metadata: { ...metadata },
        }),
      ),
    async list(metadata) {
      const pages = Sandbox.list({ ...options(), query: { metadata: { ...metadata } } });
      const found: string[] = [];
      for (let page = 0; page < LIST_PAGES && pages.hasNext; page++)
        for (const { sandboxId } of await asked(pages.nextItems())) found.push(sandboxId);
      return found;
    },
    async remove(id) {
      await asked(Sandbox.kill(id, options()));
    },
    extend: (id, seconds) => asked(Sandbox.setTimeout(id, seconds * 1000, options())),
    async upload(sandbox, path, bytes) {
      const form = new FormData();
      form.append("file", bytes, path);
      const target = signed(sandbox, await sandbox.uploadUrl(path, { user: USER }));
      await drop(send(target, { method: "POST", headers: sandbox.route, body: form }));
    },
    async download(sandbox, path) {
      const target = signed(sandbox, await sandbox.downloadUrl(path, { user: USER }));
      return (await send(target, { headers: sandbox.route })).body!;
    },
    async *start(sandbox, process, signal) {
      const response = await send(inside(sandbox, "/process.Process/Start"), {
        method: "POST",
        headers: { ...sandbox.daemonHeaders, "content-type": "application/connect+json" },
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
    async tell(sandbox, method, body) {
      const target = inside(sandbox, `/process.Process/${method}`);
      const headers = { ...sandbox.daemonHeaders, "content-type": "application/json" };
      await drop(send(target, { method: "POST", headers, body: JSON.stringify(body) }));
    },
  };
}

/** @throws Failure `execution_start_failed` with the client's word for what the service answered */
async function asked<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const said = error instanceof Error ? error.message.slice(0, REASON_BYTES) : "no reason given";
    throw fail("execution_start_failed", `the sandbox service answered: ${said}`, { cause: error });
  }
}

/** A request to the inside of a sandbox, which is led nowhere else. */
async function send(target: URL, init: RequestInit): Promise<Response> {
  const response = await fetch(target, {
    redirect: "manual",
    signal: AbortSignal.timeout(REQUEST_MS),
    timeout: false,
    ...init,
  } as RequestInit);
  if (response.ok) return response;
  throw fail(
    "execution_start_failed",
    `the sandbox answered ${response.status}: ${await reasonOf(response)}`,
  );
}

/** The beginning of an answer, however long it is. */
async function reasonOf(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part.subarray(0, REASON_BYTES), { stream: true });
      if (text.length >= REASON_BYTES) break;
    }
  } catch {
    // The status says enough.
  }
  return text.slice(0, REASON_BYTES);
}

const drop = async (response: Promise<Response>) => void (await (await response).body?.cancel());

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
