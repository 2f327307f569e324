import { randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { digestOf } from "../../base/canonical.ts";
import { ERRORS, type ErrorCode, type Failure, fail, toFailure } from "../../base/errors.ts";
import { makePrivateDirectory } from "../../base/files.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { validatesAgainst } from "../../base/json-schema.ts";
import type { AgentUse, AgentWork } from "../../protocol/index.ts";
import type { Redaction } from "../../redaction/index.ts";
import { openToolDesk } from "./tool-desk.ts";

/** One request to the model, answered with its response: `/ctx` of this host, behind an id that repeats nothing. */
export type AskModel = (id: string, body: JsonObject, signal: AbortSignal) => Promise<JsonObject>;

/** What was used so far; the broker alone counts. */
export type BrokerUse = { -readonly [Name in keyof AgentUse]: AgentUse[Name] };

export interface AgentBroker {
  /** The directory of the socket, for a mount of the sandbox. */
  readonly directory: string;
  readonly socket: string;
  readonly nonce: string;
  readonly use: BrokerUse;
  /** Why the agent was ended, where it was not its own end. */
  failure(): { code: ErrorCode; message: string } | null;
  close(): Promise<void>;
}

const REQUEST_BYTES = 4 * 1024 * 1024;
/** Of a transcript, which is handed over as a whole: what runs beside an agent could write to it without an end. */
const TRANSCRIPT_BYTES = 64 * 1024 * 1024;
/** Of one answer of the model. */
const CALLS = 64;
/** What one answer can lead to: its calls with their results, and what stands around them. */
const ENTRIES_A_TURN = 2 * CALLS + 64;
/** Characters of a token where a provider does not say how many there were. */
const CHARACTERS_A_TOKEN = 4;
const MILLION = 1_000_000;

export const nothingUsed = ({ prices }: Pick<AgentWork, "prices">): BrokerUse => ({
  turns: 0,
  inputTokens: 0,
  outputTokens: 0,
  costMicros: prices === undefined ? null : 0,
  bytes: 0,
  refusedTools: 0,
  repairAttempts: 0,
});

/**
 * What stands between an agent and its model, outside the sandbox: composes each request itself, holds the budgets, refuses
 * tools that the lease does not name, masks secrets before a model sees them, and writes down each thing before it happens.
 * The agent sees a socket and a nonce.
 * @param files `journal` becomes the transcript; `directory`, of the socket, is made here, and gone with the lease if this
 *   process dies
 */
export async function openBroker(
  work: AgentWork,
  leaseId: string,
  { journal, directory }: { readonly journal: string; readonly directory: string },
  redaction: Redaction,
  askModel: AskModel,
  signal: AbortSignal,
): Promise<AgentBroker> {
  const desk = openToolDesk(work);
  // The path may be longer than the 108 bytes of an address: Bun then binds it by way of the open directory.
  makePrivateDirectory(directory);
  const socket = join(directory, "model.sock");
  const nonce = randomBytes(32).toString("base64url");
  const file = openSync(journal, "a", 0o600);
  const use = nothingUsed(work);
  const answers = new Map<string, { digest: string; answer: Promise<JsonObject> }>();
  let ended: { code: ErrorCode; message: string } | null = null;
  let open = true;
  let sequence = 0;
  let written = 0;

  const record = (entry: JsonObject): void => {
    if (!open) return;
    const line = `${JSON.stringify(redaction.json({ seq: sequence++, ...entry }))}\n`;
    writeSync(file, line);
    fsyncSync(file);
    written += Buffer.byteLength(line);
  };
  /** The first reason is the one that counts; nothing is answered after it. */
  const end = (code: ErrorCode, message: string): Failure => {
    if (ended === null) {
      ended = { code, message };
      record({ kind: "ended", code, message });
    }
    return fail(code, message);
  };

  const instructions =
    work.outputSchema === undefined
      ? work.instructions
      : `${work.instructions}\n\nYour last answer is JSON alone, and fits this JSON Schema:\n${JSON.stringify(work.outputSchema)}`;

  const model = async (id: string, messages: readonly Json[]): Promise<JsonObject> => {
    const { budgets } = work;
    if (use.turns >= budgets.turns)
      throw end("agent_budget_exhausted", `the agent had its ${budgets.turns} turns`);
    const used = use.inputTokens + use.outputTokens;
    if (used >= budgets.tokens)
      throw end("agent_budget_exhausted", `the agent used ${used} of ${budgets.tokens} tokens`);
    if (budgets.costMicros !== undefined && use.costMicros !== null && use.costMicros >= budgets.costMicros)
      throw end(
        "agent_budget_exhausted",
        `the agent spent ${use.costMicros} of ${budgets.costMicros} micros`,
      );
    const [waiting] = desk.waiting();
    if (waiting !== undefined)
      throw end("agent_tool_missing", `the MCP server ${waiting} has not said what it offers`);
    const tools = desk.definitions();
    const body = redaction.json({
      ...(work.model === undefined ? {} : { model: work.model }),
      messages: [
        { role: "system", content: instructions },
        { role: "user", content: work.prompt },
        ...messages,
      ],
      ...(tools.length === 0 ? {} : { tools }),
    }) as JsonObject;
    const size = Buffer.byteLength(JSON.stringify(body));
    use.bytes += size;
    if (use.bytes > budgets.bytes)
      throw end("agent_budget_exhausted", `the agent sent more than ${budgets.bytes} bytes to its model`);
    use.turns++;
    const recent = [...messages].slice(-8);
    record({
      kind: "model.request",
      id,
      digest: digestOf(body),
      bytes: size,
      new: recent,
      use: { ...use },
    });
    let response: JsonObject;
    try {
      response = await askModel(`${leaseId}.${id}`, body, signal);
    } catch (error) {
      throw end("agent_model_failed", toFailure(error).message);
    }
    const message = messageOf(response);
    count(use, work, response, size);
    record({ kind: "model.response", id, message, use: { ...use } });
    const problem = callProblem(message);
    if (problem !== null) throw end("agent_output_invalid", `the model's answer is malformed: ${problem}`);
    return { message, ...answerOf(message, work.outputSchema as JsonObject | undefined) };
  };

  const handle = async (path: string, given: JsonObject): Promise<JsonObject> => {
    if (ended !== null) throw fail(ended.code, ended.message);
    if (written > TRANSCRIPT_BYTES)
      throw end("agent_budget_exhausted", `the transcript has over ${TRANSCRIPT_BYTES} bytes`);
    // Each entry is synced while everyone else on this runner waits.
    if (sequence > (use.turns + 1) * ENTRIES_A_TURN)
      throw end("agent_budget_exhausted", "more was done than the model asked for");
    if (path === "/model") {
      const { id, messages } = given;
      if (typeof id !== "string" || !/^turn-\d{1,6}$/.test(id) || !Array.isArray(messages))
        throw fail("invalid_request", "a request to the model has an id and messages");
      const digest = digestOf(messages);
      const known = answers.get(id);
      // The same request again is answered with what the first one got, and nothing is sent.
      if (known?.digest === digest) return await known.answer;
      if (known !== undefined) throw fail("conflict", `${id} was another request`);
      const answer = model(id, messages);
      answers.set(id, { digest, answer });
      return await answer;
    }
    if (path === "/offer") {
      const server = String(given["server"]);
      try {
        if (isObject(given["failed"])) throw serverFailure(given["failed"] as JsonObject);
        record({ kind: "tools.offered", server, tools: desk.offer(server, given["tools"]) });
        return {};
      } catch (error) {
        const { code, message } = toFailure(error);
        throw end(code, `the MCP server ${server}: ${message}`);
      }
    }
    if (path === "/tool") {
      const name = String(given["name"]);
      const permission = desk.permit(name, String(given["arguments"] ?? ""));
      const refused = "refused" in permission;
      if (refused) use.refusedTools++;
      record({
        kind: refused ? "tool.refused" : "tool.call",
        id: String(given["id"]),
        name,
        arguments: given["arguments"] ?? null,
        ...(permission as JsonObject),
      });
      return permission as JsonObject;
    }
    if (path === "/tool-result") {
      const { code } = given;
      record({
        kind: "tool.result",
        id: String(given["id"]),
        name: String(given["name"]),
        ok: given["ok"] === true,
        ...(typeof code === "string" && Object.hasOwn(ERRORS, code) ? { code } : {}),
      });
      return {};
    }
    if (path === "/verified") {
      use.repairAttempts++;
      const ok = given["ok"] === true;
      record({ kind: "verified", attempt: use.repairAttempts, ok });
      if (!ok && use.repairAttempts >= (work.verify?.repairAttempts ?? 0))
        end(
          "agent_repair_failed",
          `${work.verify?.command} still fails after ${use.repairAttempts} attempts`,
        );
      return {};
    }
    throw fail("not_found", "the broker has no such path");
  };

  const server = createServer((request, response) => {
    void (async () => {
      let status = 200;
      let answer: JsonObject;
      try {
        if (request.method !== "POST" || !sameNonce(request.headers["x-nonce"], nonce))
          throw fail("forbidden", "the broker is for the agent of this lease alone");
        answer = await handle(request.url ?? "", await bodyOf(request));
      } catch (error) {
        const failure = toFailure(error);
        status = failure.status;
        answer = { error: failure.message, code: failure.code };
      }
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    })();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
  chmodSync(socket, 0o600);
  return {
    directory,
    socket,
    nonce,
    use,
    failure: () => ended,
    async close() {
      if (!open) return;
      record({ kind: "closed", use: { ...use } });
      open = false;
      server.closeAllConnections();
      server.close();
      closeSync(file);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** How a server that did not get to say what it offers ended. */
function serverFailure({ code, message }: JsonObject): Failure {
  const known = SERVER_ENDS.find((each) => each === code) ?? "mcp_server_ended";
  return fail(known, String(message).slice(0, 1024));
}
const SERVER_ENDS = [
  "mcp_start_failed",
  "mcp_server_ended",
  "mcp_timeout",
  "mcp_output_too_large",
  "mcp_output_invalid",
] as const;

function sameNonce(given: unknown, nonce: string): boolean {
  const a = Buffer.from(typeof given === "string" ? given : "");
  const b = Buffer.from(nonce);
  return a.length === b.length && timingSafeEqual(a, b);
}

async function bodyOf(request: IncomingMessage): Promise<JsonObject> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > REQUEST_BYTES)
      throw fail("payload_too_large", `a request of an agent has at most ${REQUEST_BYTES} bytes`);
    parts.push(part);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw fail("invalid_json");
  }
  if (!isObject(value)) throw fail("invalid_request", "the body is not an object");
  return value as JsonObject;
}

/** The one message of a chat completion; an empty one where there is none, which is then malformed. */
function messageOf(response: JsonObject): JsonObject {
  const choices = response["choices"];
  const first = Array.isArray(choices) ? choices[0] : undefined;
  const message = isObject(first) ? (first as JsonObject)["message"] : undefined;
  return isObject(message) ? { ...(message as JsonObject), role: "assistant" } : {};
}

/** A model that says nothing of what it used is taken to have used what went over the wire. */
function count(use: BrokerUse, { prices }: AgentWork, response: JsonObject, sent: number): void {
  const usage = (isObject(response["usage"]) ? response["usage"] : {}) as JsonObject;
  const reported = (name: string): number | null => {
    const value = usage[name];
    return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.ceil(value) : null;
  };
  const input = reported("prompt_tokens");
  const output = reported("completion_tokens");
  const total = reported("total_tokens");
  const given = output ?? Math.ceil(JSON.stringify(response).length / CHARACTERS_A_TOKEN);
  const asked = input ?? (total === null ? Math.ceil(sent / CHARACTERS_A_TOKEN) : Math.max(0, total - given));
  use.inputTokens += asked;
  // What a provider counts beside both, such as thinking, is paid like output.
  const spent = Math.max(given, (total ?? 0) - asked);
  use.outputTokens += spent;
  if (prices === undefined || use.costMicros === null) return;
  use.costMicros = Math.ceil(use.costMicros + (asked * prices.input + spent * prices.output) / MILLION);
}

/** Of an answer that calls no tools: its value, or what is wrong with it and has to be asked for again. */
function answerOf(message: JsonObject, schema: JsonObject | undefined): JsonObject {
  const { content, tool_calls: calls } = message;
  if (Array.isArray(calls) && calls.length > 0) return {};
  if (schema === undefined) return { answer: content ?? "" };
  let value: Json;
  try {
    value = JSON.parse(String(content)) as Json;
  } catch {
    return { problem: "the answer is not JSON" };
  }
  const problem = validatesAgainst(schema, value);
  return problem === null ? { answer: value } : { problem: `the answer does not fit its schema: ${problem}` };
}

function callProblem(message: JsonObject): string | null {
  const { content, tool_calls: calls } = message;
  if (calls === undefined || calls === null) {
    return typeof content === "string" ? null : "it has neither text nor calls of tools";
  }
  if (!Array.isArray(calls)) return "its calls of tools are no list";
  if (calls.length > CALLS) return `it calls more than ${CALLS} tools at once`;
  const ids = new Set<string>();
  for (const each of calls) {
    const called = isObject(each) ? (each as JsonObject)["function"] : undefined;
    const id = isObject(each) ? (each as JsonObject)["id"] : undefined;
    if (typeof id !== "string" || !isObject(called)) return "a call has no id or no function";
    if (typeof (called as JsonObject)["name"] !== "string") return "a call names no tool";
    if (ids.has(id)) return `two calls have the id ${id}`;
    ids.add(id);
  }
  return null;
}
