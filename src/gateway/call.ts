import { Value } from "@sinclair/typebox/value";
import { fail } from "../base/errors.ts";
import { jsonResponse, problemResponse, readJson } from "../base/http.ts";
import { isObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { callOperation, type ServiceContext, type ServiceOperation } from "../service/index.ts";

/**
 * One HTTP request as one service call: path parameters, query and body are the members of the operation's input. The
 * body may not name a path parameter again.
 */
export async function answer(
  operation: ServiceOperation,
  context: ServiceContext,
  request: Request,
  parameters: Record<string, string>,
): Promise<Response> {
  try {
    const text = textMembers(operation, request, parameters);
    // Asking for `request.body` would make a stream of it.
    const { headers } = request;
    const length = headers.get("content-length") ?? (headers.has("transfer-encoding") ? "?" : "0");
    const body =
      request.method === "GET" || length === "0" ? {} : await readJson(request, LIMITS.gatewayBodyBytes);
    if (!isObject(body)) throw fail("invalid_request", "the body must be a JSON object");
    for (const name of Object.keys(parameters)) {
      if (name in body) throw fail("invalid_request", `/${name}: stands in the path already`);
    }
    const output = await callOperation(operation, context, { ...body, ...text }, request.signal);
    return jsonResponse(output, operation.status ?? 200);
  } catch (error) {
    return problemResponse(error);
  }
}

/** Path parameters and query: texts that become numbers and booleans where the operation's input says so. */
function textMembers(
  operation: ServiceOperation,
  request: Request,
  parameters: Record<string, string>,
): Record<string, unknown> {
  const members: Record<string, string> = { ...parameters };
  if (request.url.includes("?")) {
    for (const [name, value] of new URL(request.url).searchParams) {
      if (name in members) throw fail("invalid_request", `/${name}: given twice`);
      members[name] = value;
    }
  }
  if (Object.keys(members).length === 0) return members;
  return Value.Convert(operation.input, members) as Record<string, unknown>;
}
