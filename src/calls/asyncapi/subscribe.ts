import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { type Duration, durationMs } from "../../workflow/index.ts";
import type { Credentials } from "../authentication/credentials.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { place } from "../destination/check.ts";
import { callError } from "../error.ts";
import { serverEvents, textLines } from "../http/event-stream.ts";
import { decodeContent } from "../http/output.ts";
import { answerParts, readAnswer } from "../http/read-body.ts";
import { openHttp } from "../http/send.ts";
import type { Channel } from "./channel.ts";
import { payloadOf, receivedMessage } from "./message.ts";
import { openWebSocket } from "./websocket.ts";

/**
 * Consume messages until the policy is met, its time is over, or the other side ends in order; the output is the list
 * of those that were kept, empty where `each` took them. `while` is asked about each message before it is kept, `until` after it was.
 */
export async function subscribe(
  channel: Channel,
  subscription: JsonObject,
  request: CallRequest,
  credentials: Credentials | undefined,
  scope: CallScope,
): Promise<Json> {
  const consume = isObject(subscription["consume"]) ? (subscription["consume"] as JsonObject) : {};
  const { predicates = {} } = request;
  checkPredicates(subscription, consume, predicates);
  const amount = amountOf(consume["amount"]);
  const kept: Json[] = [];
  if (amount === 0) return kept;

  const over = new AbortController();
  const limited = { ...scope, signal: AbortSignal.any([scope.signal, over.signal]) };
  const timer = timerFor(consume["for"], over);
  let size = 0;
  let count = 0;
  try {
    for await (const message of received(channel, credentials, limited)) {
      if (predicates.filter !== undefined && !(await predicates.filter(message, count))) continue;
      if (predicates.while !== undefined && !(await predicates.while(message, count))) break;
      size = JSON.stringify(message).length + (predicates.each === undefined ? size : 0);
      if (size > LIMITS.callResponseBytes)
        throw callError("communication", `the messages are over ${LIMITS.callResponseBytes} bytes`);
      const index = count++;
      // Whoever takes them one by one keeps them, and there may be no end of them.
      if (predicates.each === undefined) kept.push(message);
      else await predicates.each(message, index);
      if (count === amount) break;
      if (predicates.until !== undefined && (await predicates.until(message, index))) break;
    }
    return kept;
  } catch (error) {
    // Its time is over, which the source can only meet as a broken connection.
    if (over.signal.aborted && !scope.signal.aborted) return kept;
    throw error;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

function amountOf(value: Json | undefined): number {
  if (value === undefined || value === null) return Number.POSITIVE_INFINITY;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
    throw callError("configuration", "`amount` must be an integer that is not negative");
  return value;
}

function timerFor(value: Json | undefined, over: AbortController): Timer | undefined {
  if (value === undefined || value === null) return undefined;
  const time = durationMs(value as Duration & {});
  if (time === undefined) throw callError("configuration", "`for` is not a duration");
  return setTimeout(() => over.abort(), Math.min(time, 2 ** 31 - 1));
}

/** An expression that nobody can ask must not be passed over: it would let everything through. */
function checkPredicates(
  subscription: JsonObject,
  consume: JsonObject,
  predicates: NonNullable<CallRequest["predicates"]>,
): void {
  for (const [name, value, predicate] of [
    ["filter", subscription["filter"], predicates.filter],
    ["while", consume["while"], predicates.while],
    ["until", consume["until"], predicates.until],
  ] as const)
    if (value !== undefined && value !== null && predicate === undefined)
      throw callError("configuration", `the subscription's \`${name}\` came without the means to ask it`);
}

async function* received(
  channel: Channel,
  credentials: Credentials | undefined,
  scope: CallScope,
): AsyncGenerator<JsonObject> {
  const { correlation } = channel;
  if (channel.protocol === "ws") {
    const { messages } = await openWebSocket(channel.url, new Headers(), credentials, scope);
    for await (const text of messages()) yield receivedMessage(payloadOf(text), {}, correlation);
    return;
  }
  const headers = new Headers({
    accept: "text/event-stream, application/x-ndjson, application/json;q=0.9, */*;q=0.5",
  });
  const { response, last } = await openHttp(
    { method: "GET", url: channel.url, headers },
    { redirect: false, credentials },
    scope,
  );
  const from = `GET ${place(last.url)}`;
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("text/event-stream")) {
    for await (const { event, data } of serverEvents(
      answerParts(response, from),
      LIMITS.callResponseBytes,
      from,
    ))
      yield receivedMessage(payloadOf(data), { event }, correlation);
  } else if (/^application\/(?:x-ndjson|jsonl|x-jsonlines|json-seq)/.test(type)) {
    for await (const line of textLines(answerParts(response, from), LIMITS.callResponseBytes, from))
      if (line.replace("\x1e", "").trim() !== "")
        yield receivedMessage(payloadOf(line.replace("\x1e", "")), {}, correlation);
  } else {
    const content = decodeContent(
      await readAnswer(response, LIMITS.callResponseBytes, from),
      type || null,
      from,
    );
    if (content === null) return;
    for (const item of Array.isArray(content) ? content : [content])
      yield receivedMessage(item, Object.fromEntries(response.headers), correlation);
  }
}
