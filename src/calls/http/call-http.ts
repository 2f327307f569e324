import type { Json } from "../../base/json.ts";
import { credentialsFor } from "../authentication/credentials.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { callError } from "../error.ts";
import { addQuery, addressOf, headersFrom, readEndpoint, textArgument } from "./arguments.ts";
import { encodeBody } from "./body.ts";
import { httpOutput, outputKind } from "./output.ts";
import { sendHttp } from "./send.ts";

const METHOD = /^[A-Z][A-Z-]*$/;
/** The first makes a tunnel, the second repeats credentials in its answer. */
const REFUSED_METHODS = new Set(["CONNECT", "TRACE"]);

/** `call: http` (DSL reference, "HTTP Call"). */
export async function callHttp(request: CallRequest, scope: CallScope): Promise<Json> {
  const args = request.with;
  const method = httpMethod(textArgument(args, "method"));
  const endpoint = readEndpoint(args["endpoint"]);
  const url = addressOf(endpoint.uri, args["uriVariables"]);
  if (!/^https?:$/.test(url.protocol)) throw callError("configuration", "`call: http` needs http: or https:");
  addQuery(url, args["query"]);
  const headers = headersFrom(args["headers"]);
  const body = encodeBody(args["body"], headers.get("content-type") ?? undefined);
  if (body !== undefined && (method === "GET" || method === "HEAD"))
    throw callError("configuration", `a ${method} request has no body`);
  if (body !== undefined) headers.set("content-type", body.contentType);
  const kind = outputKind(args["output"]);
  const credentials = credentialsFor(request.authentication ?? endpoint.authentication, scope);
  const answer = await sendHttp(
    { method, url, headers, ...(body === undefined ? {} : { body: body.bytes }) },
    { redirect: args["redirect"] === true, credentials },
    scope,
  );
  return httpOutput(answer, kind);
}

export function httpMethod(text: string): string {
  const method = text.toUpperCase();
  if (!METHOD.test(method) || REFUSED_METHODS.has(method))
    throw callError("configuration", "`method` is not an HTTP method that a call may use");
  return method;
}
