import { Failure, fail, toFailure } from "../../src/base/errors.ts";
import { isObject, type JsonObject } from "../../src/base/json.ts";
import type { Environment } from "../../src/base/xdg.ts";
import {
  type ChatResponse,
  type Delta,
  type FormatName,
  parseObject,
  ResponseBuilder,
} from "./conversation.ts";
import { demoDeltas, demoResponse } from "./demo.ts";
import { DIALECTS } from "./dialects.ts";
import { redact, StreamRedactor } from "./redact.ts";
import { resolveSecret } from "./secret.ts";
import { EventParser } from "./sse.ts";

/** Where a call may go: one provider with the model and the format it is asked in. */
export interface Candidate {
  readonly provider: string;
  readonly model: string;
  readonly format: FormatName;
  /** Empty for the built-in demo. */
  readonly baseUrl: string;
  readonly keyReference: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ChatCall {
  readonly format: FormatName;
  /** The request as the caller wrote it, already parsed. */
  readonly body: JsonObject;
  /** In order of preference; the next is tried when one is unreachable, overloaded or failing. */
  readonly candidates: readonly Candidate[];
  readonly timeoutMs: number;
}

export interface Attempt {
  readonly provider: string;
  readonly model: string;
  /** `ready` for the one that answered; else why the next was tried. */
  readonly reason: string;
  readonly latencyMs: number;
}

export interface ChatResult {
  /** Native JSON text of the asked format. */
  readonly body: string;
  readonly answer: ChatResponse;
  readonly attempts: readonly Attempt[];
}

/** A refusal of a call, with what was tried. */
export class ChatFailure extends Error {
  readonly failure: Failure;
  readonly attempts: readonly Attempt[];
  constructor(failure: Failure, attempts: readonly Attempt[]) {
    super(failure.message);
    this.failure = failure;
    this.attempts = attempts;
  }
}

export interface CallContext {
  readonly env: Environment;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly now: () => number;
  /** Called with each step of a streamed answer, redacted. */
  readonly onDelta: (delta: Delta) => void;
  readonly signal: AbortSignal;
}

/** One provider's answer, whatever it was, is at most this long; a longer one is an error. */
const MAX_ANSWER_BYTES = 16 << 20;
/** A Retry-After up to this long is waited for once; a longer one goes to the next candidate. */
const MAX_RETRY_AFTER_MS = 5000;
const ERROR_TEXT_LIMIT = 2000;

/** Statuses after which another provider, or the same one later, may well answer. */
const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** Call the candidates in turn until one answers. Throws {@link ChatFailure}. */
export async function callChat(call: ChatCall, context: CallContext): Promise<ChatResult> {
  const attempts: Attempt[] = [];
  const timer = AbortSignal.timeout(call.timeoutMs);
  const signal = AbortSignal.any([context.signal, timer]);
  let last = fail("unavailable", "no provider can take this request");
  for (const candidate of call.candidates) {
    const began = context.now();
    let streamed = false;
    const onDelta = (delta: Delta): void => {
      streamed = true;
      context.onDelta(delta);
    };
    const done = (reason: string): void => {
      attempts.push({
        provider: candidate.provider,
        model: candidate.model,
        reason,
        latencyMs: Math.round(context.now() - began),
      });
    };
    try {
      const { body, answer } = await callCandidate(call, candidate, { ...context, onDelta, signal });
      done("ready");
      return { body, answer, attempts };
    } catch (error) {
      if (context.signal.aborted) last = fail("execution_cancelled", "the request was cancelled");
      else if (timer.aborted) last = fail("execution_timeout", `no answer within ${call.timeoutMs} ms`);
      else last = toFailure(error);
      done(last.code);
      // After the first delta another provider would begin a second, different answer.
      if (
        signal.aborted ||
        streamed ||
        !["unavailable", "rate_limited", "secret_denied", "io"].includes(last.code)
      )
        break;
    }
  }
  throw new ChatFailure(last, attempts);
}

async function callCandidate(
  call: ChatCall,
  candidate: Candidate,
  context: CallContext,
): Promise<{ body: string; answer: ChatResponse }> {
  const asked = DIALECTS[call.format];
  const request = asked.readRequest(call.body);
  if (candidate.baseUrl === "") {
    const answer = demoResponse(request, candidate.model);
    if (request.stream) for (const delta of demoDeltas(answer)) context.onDelta(delta);
    return { body: JSON.stringify(asked.writeResponse(answer, context.now())), answer };
  }
  const secret =
    candidate.keyReference === undefined
      ? undefined
      : await resolveSecret(candidate.keyReference, context.env);
  const secrets = secret === undefined ? [] : [secret];
  const spoken = DIALECTS[candidate.format];
  const body =
    candidate.format === call.format
      ? asked.adaptRequest(call.body, candidate.model, request.stream)
      : spoken.writeRequest(request, candidate.model, request.stream);
  const response = await post(endpoint(candidate, request.stream), {
    headers: {
      "content-type": "application/json",
      accept: request.stream ? "text/event-stream" : "application/json",
      ...spoken.headers(secret),
      ...candidate.headers,
    },
    body: JSON.stringify(body),
    secrets,
    context,
  });
  if (request.stream) {
    const answer = await readStream(response, candidate, secrets, context);
    return { body: JSON.stringify(asked.writeResponse(answer, context.now())), answer };
  }
  const text = redact(utf8(await readBytes(response)), secrets);
  const native = asJsonObject(text);
  if (native === undefined)
    throw fail("unavailable", `${candidate.provider} answered something that is not a JSON object`);
  // Gateways answer 200 and then fail.
  if (isObject(native["error"]))
    throw fail("unavailable", `the provider reported: ${reported(native["error"] as JsonObject)}`);
  const answer = spoken.readResponse(native);
  // The same format in and out: what the provider said, to the byte.
  return {
    body:
      candidate.format === call.format ? text : JSON.stringify(asked.writeResponse(answer, context.now())),
    answer,
  };
}

function endpoint(candidate: Candidate, stream: boolean): string {
  const dialect = DIALECTS[candidate.format];
  const url = new URL(candidate.baseUrl);
  const base = url.pathname === "/" ? dialect.basePath : url.pathname.replace(/\/$/, "");
  return `${url.origin}${base}${dialect.path(candidate.model, stream)}`;
}

interface PostOptions {
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly secrets: readonly string[];
  readonly context: CallContext;
}

async function post(url: string, options: PostOptions): Promise<Response> {
  for (let tries = 1; ; tries++) {
    let response: Response;
    try {
      response = await options.context.fetch(url, {
        method: "POST",
        headers: options.headers,
        body: options.body,
        signal: options.context.signal,
        // A redirect would carry the key to a host that nobody named.
        redirect: "error",
      });
    } catch (error) {
      throw fail(
        "unavailable",
        redact(`no connection: ${error instanceof Error ? error.message : ""}`, options.secrets),
      );
    }
    if (response.ok) return response;
    // Redacted before it is cut: a cut secret would no longer be recognised.
    const text = redact((await readBytes(response)).toString("utf8"), options.secrets).slice(
      0,
      ERROR_TEXT_LIMIT,
    );
    const wait = retryAfterMs(response.headers.get("retry-after"), options.context.now());
    if (tries === 1 && response.status === 429 && wait !== undefined && wait <= MAX_RETRY_AFTER_MS) {
      await sleep(wait, options.context.signal);
      continue;
    }
    const details = { status: response.status, body: parseObject(text)["error"] ?? text };
    if (response.status === 429)
      throw fail("rate_limited", "the provider limits the rate of requests", { details });
    if (isTransient(response.status))
      throw fail("unavailable", `the provider answered ${response.status}`, { details });
    if (response.status === 401 || response.status === 403) {
      throw fail("secret_denied", `the provider refused the key (${response.status})`, { details });
    }
    throw fail("invalid_request", `the provider refused the request (${response.status})`, { details });
  }
}

/** `Retry-After` in seconds or as an HTTP date. */
export function retryAfterMs(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

const reported = ({ message, code, type }: JsonObject): string =>
  String(message ?? code ?? type ?? "an error without a message").slice(0, ERROR_TEXT_LIMIT);

function asJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** What stands in the place of a broken character is not what the provider said. */
function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fail("unavailable", "the provider's answer is not valid UTF-8");
  }
}

async function readBytes(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of response.body ?? []) {
      total += chunk.length;
      if (total > MAX_ANSWER_BYTES) throw fail("payload_too_large", "the provider's answer is too long");
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw fail("unavailable", "the connection was cut in the middle of the answer");
  }
  return Buffer.concat(chunks);
}

async function readStream(
  response: Response,
  candidate: Candidate,
  secrets: readonly string[],
  context: CallContext,
): Promise<ChatResponse> {
  const dialect = DIALECTS[candidate.format];
  const parser = new EventParser();
  const builder = new ResponseBuilder(candidate.model);
  // Text and the input of each tool call are pieces of one string each: a secret may be cut anywhere within it.
  const text = new StreamRedactor(secrets);
  const calls = new Map<number, StreamRedactor>();
  const emit = (delta: Delta): void => {
    builder.add(delta);
    context.onDelta(delta);
  };
  const release = (): void => {
    const rest = text.end();
    if (rest !== "") emit({ type: "text", text: rest });
    for (const [index, redactor] of calls) {
      const input = redactor.end();
      if (input !== "") emit({ type: "call", index, input });
    }
  };
  const take = (delta: Delta): void => {
    if (delta.type === "text") {
      const safe = text.push(delta.text);
      if (safe !== "") emit({ type: "text", text: safe });
      return;
    }
    if (delta.type === "call") {
      const redactor = calls.get(delta.index) ?? new StreamRedactor(secrets);
      calls.set(delta.index, redactor);
      emit({ ...delta, input: redactor.push(delta.input) });
      return;
    }
    if (delta.type === "finish" || delta.type === "end") release();
    emit(delta);
  };
  let total = 0;
  try {
    for await (const chunk of response.body ?? []) {
      total += chunk.length;
      if (total > MAX_ANSWER_BYTES) throw fail("payload_too_large", "the provider's answer is too long");
      for (const event of parser.push(chunk)) {
        const data = redact(event.data, secrets);
        // One piece passed over would be an answer with a hole in it.
        if (data !== "[DONE]" && asJsonObject(data) === undefined)
          throw fail("unavailable", "the provider's stream holds an event that is not a JSON object");
        for (const delta of dialect.readEvent(event.event, data)) take(delta);
      }
      if (builder.error !== undefined) break;
      // Google has no closing event, and may count the tokens after its last piece.
      if (builder.ended && candidate.format !== "google.generate_content") break;
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (!builder.ended || context.signal.aborted)
      throw fail("unavailable", "the connection was cut in the middle of the answer");
  }
  if (builder.error !== undefined)
    throw fail("unavailable", `the provider reported: ${builder.error.slice(0, ERROR_TEXT_LIMIT)}`);
  if (!builder.ended || builder.isEmpty)
    throw fail("unavailable", "the provider's stream ended before the answer was complete");
  return builder.response();
}
