import type { TSchema } from "@sinclair/typebox";
import { fail } from "../base/errors.ts";
import { jsonResponse, readBody, readJson } from "../base/http.ts";
import { isObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { validate } from "../protocol/validate.ts";
import { callOperation, type ServiceContext, type ServiceOperation } from "../service/index.ts";
import { type Access, callerOf, checkScope, contextFor } from "./caller.ts";
import { readCloudEvent } from "./cloud-event.ts";
import type { GatewayParts } from "./parts.ts";
import type { GatewayRoute } from "./routes/index.ts";

/** The type of a JSON body whose members are the operation's, where the operation itself takes bytes. */
export const MEMBERS_TYPE = "application/vnd.lightflow.members+json";

const LINES_TYPE = "application/x-ndjson";

function linesResponse(values: readonly unknown[]): Response {
  const text = values.map((value) => `${JSON.stringify(value)}\n`).join("");
  return new Response(text, { headers: { "content-type": `${LINES_TYPE}; charset=utf-8` } });
}

/** What every request of one listener has in common. */
export interface Called {
  readonly context: ServiceContext;
  readonly access: Access;
  readonly parts: GatewayParts;
}

/**
 * One HTTP request as one service call: path parameters, query and body are the members of the operation's input. The
 * body may not name a path parameter again.
 */
export async function answer(
  operation: ServiceOperation,
  { context, access, parts }: Called,
  request: Request,
  parameters: Record<string, string>,
): Promise<Response> {
  // Who calls comes first: a stranger does not even learn whether the request is well formed.
  const called = operation.scope === "public" ? context : authorized(operation, context, access, request);
  const text =
    operation.idempotent === true
      ? withKey(request, textMembers(operation, request, parameters))
      : textMembers(operation, request, parameters);
  const { headers, method } = request;
  // Asking for `request.body` would make a stream of it.
  const length =
    method === "GET"
      ? "0"
      : (headers.get("content-length") ?? (headers.has("transfer-encoding") ? "?" : "0"));
  if (length === "0" && operation.body !== "cloudevent") {
    const output = await callOperation(operation, called, text, waiting(text, request, parts));
    if (operation.lines !== undefined && headers.get("accept")?.includes(LINES_TYPE)) {
      return linesResponse((output as Record<string, unknown[]>)[operation.lines]!);
    }
    return jsonResponse(output, operation.status ?? 200);
  }
  const body = await bodyMembers(operation, request);
  if (!isObject(body)) throw fail("invalid_request", "the body must be a JSON object");
  for (const name of Object.keys(parameters)) {
    if (name in body) throw fail("invalid_request", `/${name}: stands in the path already`);
  }
  const output = await callOperation(operation, called, { ...body, ...text }, request.signal);
  return jsonResponse(output, operation.status ?? 200);
}

/** The members that a body gives, by what the operation's requests carry. */
async function bodyMembers(operation: ServiceOperation, request: Request): Promise<unknown> {
  if (operation.body === "cloudevent") return await readCloudEvent(request);
  const type = request.headers.get("content-type");
  if (operation.body !== "bytes" || type === MEMBERS_TYPE) {
    return await readJson(request, LIMITS.gatewayBodyBytes);
  }
  const bytes = await readBody(request, LIMITS.exchangeBodyBytes);
  return { body_base64: Buffer.from(bytes).toString("base64") };
}

/** One request of a route that is no operation: the same checks, and then its own answer. */
export async function answerRoute(
  route: GatewayRoute,
  { context, access, parts }: Called,
  request: Request,
  parameters: Record<string, string>,
): Promise<Response> {
  const called = route.scope === "public" ? context : authorized(route, context, access, request);
  const input = validate(route.input, textMembers(route, request, parameters)) as Record<string, unknown>;
  return await route.handle({ context: called, request, input, parts });
}

/** The header `Idempotency-Key` as a member. @throws Failure `invalid_request` */
function withKey(request: Request, members: Record<string, unknown>): Record<string, unknown> {
  const key = request.headers.get("idempotency-key");
  if (key === null) return members;
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw fail("invalid_request", "the header Idempotency-Key is 1 to 255 visible characters");
  return { ...members, idempotency_key: key };
}

/** The context of whoever calls. @throws Failure `unauthenticated`, `forbidden` */
export function authorized(
  operation: Pick<ServiceOperation, "name" | "scope">,
  context: ServiceContext,
  access: Access,
  request: Request,
): ServiceContext {
  const principal = callerOf(context, access, request);
  checkScope(principal, operation);
  return contextFor(context, principal);
}

/** A stopping server waits for nobody: long polls answer with what there is. */
function waiting(
  input: Record<string, unknown>,
  request: Request,
  parts: GatewayParts,
): AbortSignal | undefined {
  if ("wait_ms" in input) return AbortSignal.any([request.signal, parts.stopping]);
  // Making a signal costs as much as the rest of a small answer, and what only reads is done before it could be heard.
  return request.method === "GET" ? undefined : request.signal;
}

type Taking = Pick<ServiceOperation, "input">;
type Reader = (text: string) => unknown;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const READERS: Record<string, Reader> = {
  integer: (text) => (NUMBER.test(text) ? Number(text) : text),
  number: (text) => (NUMBER.test(text) ? Number(text) : text),
  boolean: (text) => text === "true" || (text === "false" ? false : text),
};

/** How the texts of a path and a query become members, where the operation's input wants something else than text. */
const readers = new WeakMap<Taking, Map<string, Reader>>();

function readersOf(operation: Taking): Map<string, Reader> {
  let found = readers.get(operation);
  if (found === undefined) {
    found = new Map();
    const properties = (operation.input["properties"] ?? {}) as Record<string, TSchema>;
    for (const [name, schema] of Object.entries(properties)) {
      const reader = READERS[String(schema["type"])];
      if (reader !== undefined) found.set(name, reader);
    }
    readers.set(operation, found);
  }
  return found;
}

function textMembers(
  operation: Taking,
  request: Request,
  parameters: Record<string, string>,
): Record<string, unknown> {
  const question = request.url.indexOf("?");
  const kinds = readersOf(operation);
  if (question < 0 && kinds.size === 0) return parameters;
  const members: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(parameters)) members[name] = kinds.get(name)?.(value) ?? value;
  if (question < 0) return members;
  for (const [name, value] of new URLSearchParams(request.url.slice(question + 1))) {
    if (Object.hasOwn(members, name)) throw fail("invalid_request", `/${name}: given twice`);
    members[name] = kinds.get(name)?.(value) ?? value;
  }
  return members;
}
