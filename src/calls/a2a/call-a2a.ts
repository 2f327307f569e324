import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { credentialsFor } from "../authentication/credentials.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { place } from "../destination/check.ts";
import { callError } from "../error.ts";
import { addressOf, readEndpoint, textArgument } from "../http/arguments.ts";
import { serverEvents } from "../http/event-stream.ts";
import { answerParts, readAnswer } from "../http/read-body.ts";
import { openHttp } from "../http/send.ts";
import { rpcError } from "../json-rpc-error.ts";
import { agentAddress } from "./agent-card.ts";

interface Method {
  readonly isEffect: boolean;
  readonly isStream: boolean;
}
const READ: Method = { isEffect: false, isStream: false };
const WRITE: Method = { isEffect: true, isStream: false };

const METHODS: Readonly<Record<string, Method>> = {
  "message/send": WRITE,
  "message/stream": { isEffect: true, isStream: true },
  "tasks/get": READ,
  "tasks/list": READ,
  "tasks/cancel": WRITE,
  "tasks/resubscribe": { isEffect: false, isStream: true },
  "tasks/pushNotificationConfig/set": WRITE,
  "tasks/pushNotificationConfig/get": READ,
  "tasks/pushNotificationConfig/list": READ,
  "tasks/pushNotificationConfig/delete": WRITE,
  "agent/getAuthenticatedExtendedCard": READ,
};

/**
 * `call: a2a` (DSL reference, "A2A Call"): one JSON-RPC request to an agent. The output is the result; of the two
 * streaming methods the list of all results, in the order they came.
 */
export async function callA2a(request: CallRequest, scope: CallScope): Promise<Json> {
  const args = request.with;
  const name = textArgument(args, "method");
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (method === undefined) throw callError("configuration", `\`${name}\` is not a method of \`call: a2a\``);
  const params = withMessageId(args["parameters"], request.idempotencyKey);
  const { url, authentication } = await addressee(request, scope);

  const id = request.idempotencyKey;
  const { response, last } = await openHttp(
    {
      method: "POST",
      url,
      headers: new Headers({
        "content-type": "application/json",
        accept: method.isStream ? "text/event-stream, application/json" : "application/json",
      }),
      body: JSON.stringify({ jsonrpc: "2.0", id, method: name, ...(params === undefined ? {} : { params }) }),
    },
    { redirect: false, credentials: credentialsFor(authentication, scope), isEffect: method.isEffect },
    scope,
  );
  const from = `POST ${place(last.url)}`;
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  if (isStream) return await collect(response, id, method, from, request.predicates?.each);
  const body = await readAnswer(response, LIMITS.callResponseBytes, from);
  const result = resultOf(new TextDecoder().decode(body), id, from);
  return method.isStream ? [result] : result;
}

/** An agent knows a repeated message by its id, so one without an id gets the attempt's. */
function withMessageId(value: Json | undefined, id: string): JsonObject | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw callError("configuration", "`parameters` must be an object");
  const params = value as JsonObject;
  const message = params["message"];
  if (!isObject(message) || "messageId" in message) return params;
  return { ...params, message: { ...(message as JsonObject), messageId: id } };
}

async function addressee(
  request: CallRequest,
  scope: CallScope,
): Promise<{ readonly url: URL; readonly authentication: JsonObject | undefined }> {
  const { server, agentCard } = request.with;
  if (server !== undefined && server !== null) {
    const endpoint = readEndpoint(server, "server");
    const url = addressOf(endpoint.uri, request.with["uriVariables"]);
    if (!/^https?:$/.test(url.protocol)) throw callError("configuration", "`server` needs http: or https:");
    return { url, authentication: request.authentication ?? endpoint.authentication };
  }
  if (agentCard === undefined || agentCard === null)
    throw callError("configuration", "`agentCard` or `server` must be given");
  return { url: await agentAddress(agentCard, scope), authentication: request.authentication };
}

async function collect(
  response: Response,
  id: string,
  method: Method,
  from: string,
  each: NonNullable<CallRequest["predicates"]>["each"],
): Promise<Json> {
  const results: Json[] = [];
  let size = 0;
  for await (const { data } of serverEvents(answerParts(response, from), LIMITS.callResponseBytes, from)) {
    size += data.length;
    if (size > LIMITS.callResponseBytes)
      throw callError("communication", `${from}: the answer is over ${LIMITS.callResponseBytes} bytes`);
    results.push(resultOf(data, id, from));
    await each?.(results.at(-1)!, results.length - 1);
    if (!method.isStream) return results[0]!;
  }
  if (results.length === 0) throw callError("communication", `${from}: the stream ended without a result`);
  return results;
}

function resultOf(text: string, id: string, from: string): Json {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw callError("communication", `${from}: the answer is not valid JSON`);
  }
  const { error, result, id: answered } = isObject(answer) ? answer : {};
  if (isObject(error)) throw rpcError(from, Number(error["code"]), String(error["message"] ?? ""));
  if (result === undefined || answered !== id)
    throw callError("communication", `${from}: the answer is not one of JSON-RPC to this request`);
  return result as Json;
}
