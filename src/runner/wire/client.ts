import type { Static, TSchema } from "@sinclair/typebox";
import { type ErrorCode, type Failure, fail, fromProblem } from "../../base/errors.ts";
import { PROTOCOL_HEADER, PROTOCOL_VERSION, validate } from "../../protocol/index.ts";
import { networkFailure } from "./network-reason.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type RawBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

export interface Call<T extends TSchema> {
  readonly method?: "POST" | "PUT" | "GET";
  readonly path: string;
  readonly query?: Record<string, string | number | boolean>;
  /** Null for a message that carries its own proof, or none. */
  readonly token: string | null;
  /** A JSON message, or a function that makes the raw body anew for each try; null for none. */
  readonly body: object | (() => RawBody) | null;
  readonly answer: T;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One try of one protocol message. It never repeats by itself: the caller keeps the message, and so its id. */
export interface Client {
  /** @throws Failure of the server's code, or `unavailable` when no answer came */
  call<T extends TSchema>(call: Call<T>): Promise<Static<T>>;
  /** As `call`; a 204 is null with the wait that the server asked for. */
  callOrEmpty<T extends TSchema>(call: Call<T>): Promise<Static<T> | { readonly retryAfterMs: number }>;
  /** Bytes, as they come. @throws as `call` */
  download(call: Omit<Call<TSchema>, "answer" | "body" | "method">): Promise<ReadableStream<Uint8Array>>;
}

function checkVersion(response: Response): void {
  const version = response.headers.get(PROTOCOL_HEADER);
  if (version !== null && version.split(".")[0] !== PROTOCOL_VERSION.split(".")[0]) {
    throw fail(
      "protocol_unsupported",
      `the controller speaks protocol ${version}, this runner ${PROTOCOL_VERSION}`,
    );
  }
}

async function failureOf(response: Response): Promise<Failure> {
  const text = await response.text().catch(() => "");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const failure = fromProblem(response.status, body);
  // A proxy's error page carries no code of ours; its status alone says whether a repeat may help.
  if (failure.code === "internal" && (response.status >= 502 || response.status === 429)) {
    return fail("unavailable", `the controller answered ${response.status}`);
  }
  return failure;
}

export function createClient(baseUrl: string, fetchFunction: Fetch = fetch): Client {
  const base = baseUrl.replace(/\/+$/, "");

  const send = async <T extends TSchema>(call: Call<T>): Promise<Response> => {
    const query = call.query
      ? `?${new URLSearchParams(Object.entries(call.query).map(([key, value]): [string, string] => [key, String(value)]))}`
      : "";
    const raw = typeof call.body === "function";
    const timeout = AbortSignal.timeout(call.timeoutMs);
    try {
      return await fetchFunction(`${base}${call.path}${query}`, {
        method: call.method ?? "POST",
        headers: {
          ...(call.token === null ? {} : { authorization: `Bearer ${call.token}` }),
          "content-type": raw ? "application/octet-stream" : "application/json",
          [PROTOCOL_HEADER]: PROTOCOL_VERSION,
        },
        ...(call.body === null
          ? {}
          : { body: raw ? (call.body as () => RawBody)() : JSON.stringify(call.body) }),
        // A redirect would carry the credential to a place nobody configured.
        redirect: "error",
        signal: call.signal ? AbortSignal.any([timeout, call.signal]) : timeout,
      });
    } catch (error) {
      const url = `${base}${call.path}`;
      if (timeout.aborted) throw fail("unavailable", `${url}: no answer within ${call.timeoutMs} ms`);
      throw networkFailure(url, error);
    }
  };

  const parse = async <T extends TSchema>(response: Response, answer: T): Promise<Static<T>> => {
    let value: unknown;
    try {
      value = await response.json();
    } catch (error) {
      throw fail("unavailable", "the answer was cut off", { cause: error });
    }
    return validate(answer, value, "schema_violation");
  };

  return {
    async call(call) {
      const response = await send(call);
      checkVersion(response);
      if (!response.ok) throw await failureOf(response);
      return parse(response, call.answer);
    },
    async download(call) {
      const response = await send({ ...call, method: "GET", body: null, answer: {} as TSchema });
      checkVersion(response);
      if (!response.ok) throw await failureOf(response);
      if (response.body === null) throw fail("unavailable", "the answer has no body");
      return response.body;
    },
    async callOrEmpty(call) {
      const response = await send(call);
      checkVersion(response);
      if (response.status === 204) {
        const seconds = Number(response.headers.get("retry-after") ?? 0);
        return { retryAfterMs: Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : 0 };
      }
      if (!response.ok) throw await failureOf(response);
      return parse(response, call.answer);
    },
  };
}

const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  // An authority may be exchanged under a runner: what it has to report stays until it is trusted again.
  "controller_untrusted",
  "rate_limited",
  "internal",
  "io",
  "store_busy",
]);

/** Whether the same message may succeed when it is sent again. */
export const isTransient = (failure: Failure): boolean => TRANSIENT.has(failure.code);

/** Whether the session's credential is what was refused. */
export const isSessionLost = (failure: Failure): boolean =>
  failure.code === "unauthenticated" || failure.code === "runner_session_inactive";
