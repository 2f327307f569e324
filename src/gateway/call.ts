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
    const query: Record<string, string> = {};
    for (const [name, value] of new URL(request.url).searchParams) {
      if (name in query || name in parameters) throw fail("invalid_request", `/${name}: given twice`);
      query[name] = value;
    }
    const hasBody =
      request.method !== "GET" && request.body !== null && request.headers.get("content-length") !== "0";
    const body = hasBody ? await readJson(request, LIMITS.gatewayBodyBytes) : {};
    if (!isObject(body)) throw fail("invalid_request", "the body must be a JSON object");
    for (const name of Object.keys(parameters)) {
      if (name in body) throw fail("invalid_request", `/${name}: stands in the path already`);
    }
    // Text of the query becomes numbers and booleans where the input says so; the body is taken as it is.
    const text = Value.Convert(operation.input, { ...query, ...parameters }) as Record<string, unknown>;
    const output = await callOperation(operation, context, { ...body, ...text }, request.signal);
    return jsonResponse(output, operation.status ?? 200);
  } catch (error) {
    return problemResponse(error);
  }
}
