import { toFailure } from "../../base/errors.ts";
import { jsonResponse, readJson } from "../../base/http.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { MIB } from "../../base/limits.ts";

/** Codes of JSON-RPC 2.0, and those that A2A 0.3 adds (chapter 8). */
export const RPC = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  busy: -32000,
  taskNotFound: -32001,
  taskNotCancelable: -32002,
  pushNotSupported: -32003,
  unsupported: -32004,
  contentType: -32005,
  noExtendedCard: -32007,
} as const;

/** Text and data for one exchange with a model; each task that is worked on keeps its message. */
export const REQUEST_BYTES = 4 * MIB;

/** A refusal that is the answer of JSON-RPC. */
export class RpcFailure extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface RpcRequest {
  readonly id: Json;
  readonly method: string;
  readonly params: JsonObject;
}

/** @throws RpcFailure for what is no request, Failure for what is too large or no JSON by its type */
export async function readRpc(request: Request): Promise<RpcRequest> {
  let body: Json;
  try {
    body = await readJson(request, REQUEST_BYTES);
  } catch (error) {
    const failure = toFailure(error);
    if (failure.code !== "invalid_json") throw failure;
    throw new RpcFailure(RPC.parse, failure.message);
  }
  if (!isObject(body)) throw new RpcFailure(RPC.request, "the body is not one request of JSON-RPC");
  const { jsonrpc, id = null, method, params = {} } = body as JsonObject;
  if (jsonrpc !== "2.0" || typeof method !== "string" || !isId(id))
    throw new RpcFailure(RPC.request, "the body is not a request of JSON-RPC 2.0");
  if (!isObject(params)) throw new RpcFailure(RPC.params, "params is not an object");
  return { id, method, params: params as JsonObject };
}

const isId = (id: Json): boolean =>
  id === null || typeof id === "number" || (typeof id === "string" && id.length <= 1024);

export function rpcRefusal(id: Json, { code, message }: RpcFailure): Response {
  return jsonResponse({ jsonrpc: "2.0", id, error: { code, message } });
}
