import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { credentialsFor } from "../authentication/credentials.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { callError } from "../error.ts";
import { addHeader, textArgument } from "../http/arguments.ts";
import { httpOutput, outputKind } from "../http/output.ts";
import { sendHttp } from "../http/send.ts";
import { readDocument } from "../resource/read-document.ts";
import { takeBody } from "./body.ts";
import { findOperation, type Operation } from "./operation.ts";
import { type ParameterRule, writeParameter } from "./parameter.ts";
import { securedCredentials } from "./security.ts";

/** Headers that OpenAPI says a parameter never sets. */
const NOT_PARAMETERS = new Set(["accept", "content-type", "authorization"]);

/** `call: openapi` (DSL reference, "OpenAPI Call"). */
export async function callOpenApi(request: CallRequest, scope: CallScope): Promise<Json> {
  const args = request.with;
  const kind = outputKind(args["output"]);
  const operationId = textArgument(args, "operationId");
  const document = await readDocument(args["document"], "document", scope);
  const operation = findOperation(document, operationId);

  const given = isObject(args["parameters"]) ? (args["parameters"] as JsonObject) : {};
  const left = new Map(Object.entries(given));
  const { url, headers } = place(operation, given, left);
  const body = await takeBody(operation.body, left);
  if (left.size > 0)
    throw callError("validation", `\`${operationId}\` has no parameter \`${[...left.keys()][0]}\``);
  if (body !== undefined) headers.set("content-type", body.contentType);

  const own = isObject(args["authentication"]) ? (args["authentication"] as JsonObject) : undefined;
  const credentials = securedCredentials(operation, credentialsFor(request.authentication ?? own, scope));
  const answer = await sendHttp(
    { method: operation.method, url, headers, ...(body === undefined ? {} : { body: body.bytes }) },
    { redirect: args["redirect"] === true, credentials },
    scope,
  );
  return httpOutput(answer, kind);
}

function place(
  operation: Operation,
  given: JsonObject,
  left: Map<string, Json>,
): { readonly url: URL; readonly headers: Headers } {
  const headers = new Headers({ accept: acceptHeader(operation.accepts) });
  const query: string[] = [];
  const cookies: string[] = [];
  let path = operation.path;
  for (const rule of operation.parameters) {
    const value = Object.hasOwn(given, rule.name) ? given[rule.name]! : null;
    left.delete(rule.name);
    if (value === null) {
      if (!rule.required && rule.place !== "path") continue;
      throw callError("validation", `the parameter \`${rule.name}\` is missing`);
    }
    checkType(rule, value);
    const { pairs, text } = writeParameter(rule, value);
    if (rule.place === "path") path = path.replaceAll(`{${rule.name}}`, checkedSegment(rule, text));
    else if (rule.place === "query") query.push(...pairs.map(([name, item]) => `${name}=${item}`));
    else if (rule.place === "cookie") cookies.push(...pairs.map(([name, item]) => `${name}=${item}`));
    else if (!NOT_PARAMETERS.has(rule.name.toLowerCase())) addHeader(headers, rule.name, text);
  }
  const missing = /\{([^{}]+)\}/.exec(path);
  if (missing !== null) throw callError("configuration", `the path's {${missing[1]}} is not declared`);
  if (cookies.length > 0) headers.set("cookie", cookies.join("; "));
  const url = URL.parse(`${operation.server}${path}`);
  if (url === null) throw callError("configuration", "the operation has no usable address");
  if (query.length > 0) url.search = [url.search.slice(1), ...query].filter((text) => text !== "").join("&");
  return { url, headers };
}

/** An empty segment, or one of dots alone, would make the path another one. */
function checkedSegment(rule: ParameterRule, text: string): string {
  if (/^(?:\.|%2E){0,2}$/i.test(text))
    throw callError("validation", `the parameter \`${rule.name}\` is not a segment of a path`);
  return text;
}

/** What the declared type cannot be written from; the server knows the rest of the schema. */
function checkType(rule: ParameterRule, value: Json): void {
  const isWrong =
    rule.type === "integer" || rule.type === "number"
      ? Number.isNaN(Number(typeof value === "string" && value.trim() === "" ? Number.NaN : value)) ||
        typeof value === "boolean"
      : rule.type === "boolean"
        ? typeof value !== "boolean" && value !== "true" && value !== "false"
        : false;
  if (isWrong) throw callError("validation", `the parameter \`${rule.name}\` must be of type ${rule.type}`);
}

function acceptHeader(types: readonly string[]): string {
  const json = types.filter((type) => /[/+]json\b/.test(type));
  if (json.length > 0 || types.length === 0) return `${json.join(", ") || "application/json"}, */*;q=0.5`;
  return `${[...new Set(types)].join(", ")}, */*;q=0.1`;
}
