import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { schemaProblem } from "../../base/json-schema.ts";
import { RPC, RpcFailure } from "./rpc.ts";

const IDENTIFIER = 512;
const PARTS = 64;

/** What a message asks of the agent. LightFlow says what it wants of a call under `metadata.lightflow`. */
export interface Asked {
  readonly text: string;
  readonly input: Json;
  readonly instructions: string | null;
  /** Undefined where the agent's own counts. */
  readonly outputSchema: Json | undefined;
  readonly retry: number | null;
  readonly tokens: number | null;
  readonly costMicros: number | null;
  readonly turns: number | null;
}

export interface Message {
  readonly messageId: string;
  readonly contextId: string | null;
  readonly taskId: string | null;
  /** As it came, for what is kept of it. */
  readonly whole: JsonObject;
  readonly asked: Asked;
}

const wrong = (what: string) => new RpcFailure(RPC.params, what);

/** @throws RpcFailure for what is no message of A2A 0.3, or holds what this agent does not read */
export function readMessage(params: JsonObject): Message {
  const { message } = params;
  if (!isObject(message)) throw wrong("params.message is missing");
  const whole = message as JsonObject;
  const messageId = identifier(whole, "messageId");
  if (messageId === null) throw wrong("params.message.messageId is missing");
  return {
    messageId,
    contextId: identifier(whole, "contextId"),
    taskId: identifier(whole, "taskId"),
    whole,
    asked: askedOf(whole),
  };
}

function identifier(message: JsonObject, name: string): string | null {
  const value = message[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || value === "" || value.length > IDENTIFIER)
    throw wrong(`params.message.${name} is not a text of 1 to ${IDENTIFIER} characters`);
  return value;
}

export function askedOf(message: JsonObject): Asked {
  const { parts } = message;
  if (!Array.isArray(parts) || parts.length > PARTS)
    throw wrong(`params.message.parts is not a list of at most ${PARTS} parts`);
  const texts: string[] = [];
  let input: Json = null;
  for (const part of parts) {
    const { kind, text, data } = (isObject(part) ? part : {}) as JsonObject;
    if (kind === "text" && typeof text === "string") texts.push(text);
    else if (kind === "data" && isObject(data))
      input = "input" in data ? ((data as JsonObject)["input"] ?? null) : data;
    else if (kind === "file") throw new RpcFailure(RPC.contentType, "this agent reads no files");
    else throw wrong("a part is neither text nor data");
  }
  const { metadata } = message;
  const ours = isObject(metadata) ? (metadata as JsonObject)["lightflow"] : undefined;
  const told = (isObject(ours) ? ours : {}) as JsonObject;
  const budgets = (isObject(told["budgets"]) ? told["budgets"] : {}) as JsonObject;
  const { instructions, outputSchema, retry } = told;
  const problem = outputSchema === undefined || outputSchema === null ? null : schemaProblem(outputSchema);
  if (problem !== null) throw wrong(`metadata.lightflow.outputSchema: ${problem}`);
  const amount = (name: string): number | null => {
    const value = budgets[name];
    return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : null;
  };
  return {
    text: texts.join("\n"),
    input,
    instructions: typeof instructions === "string" && instructions !== "" ? instructions : null,
    outputSchema: outputSchema ?? undefined,
    retry: Number.isSafeInteger(retry) ? Math.max(0, retry as number) : null,
    tokens: amount("tokens"),
    costMicros: amount("costMicros"),
    turns: amount("turns"),
  };
}
