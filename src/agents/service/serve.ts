import { sha256 } from "../../base/canonical.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { jsonResponse, pathOf, problemResponse, readJson } from "../../base/http.ts";
import { equalSecret, newId } from "../../base/ids.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Agent } from "../document.ts";
import { type Exchange, ModelFailure, runNative, type ToolBox } from "../native.ts";
import { Sessions } from "./sessions.ts";
import { AgentTask, Tasks } from "./tasks.ts";

const CARD = "/.well-known/agent-card.json";
const CONCURRENT = 64;

export interface AgentServiceOptions {
  readonly agent: Agent;
  readonly digest: string;
  /** The agent's own instructions with the texts of its skills. */
  readonly instructions: string;
  readonly tools: ToolBox;
  /** Null where only this host can reach it. */
  readonly token: string | null;
  /** One exchange with the model, known by its id; the signal takes it back. */
  exchange(id: string, body: JsonObject, signal: AbortSignal): Promise<Json>;
}

/** A published agent as a service of its own, over A2A 0.3: JSON-RPC on `/a2a`, its card at the well-known place. */
export function agentService(options: AgentServiceOptions): (request: Request) => Promise<Response> {
  const tasks = new Tasks();
  const sessions = new Sessions();
  let running = 0;

  const begin = (params: JsonObject): AgentTask => {
    const message = isObject(params["message"]) ? (params["message"] as JsonObject) : null;
    const messageId = message?.["messageId"];
    if (message === null || typeof messageId !== "string" || messageId === "" || messageId.length > 512)
      throw new RpcFailure(-32602, "params.message with a messageId is missing");
    const known = tasks.begun(messageId);
    if (known !== undefined) return known;
    if (running >= CONCURRENT) throw new RpcFailure(-32000, `more than ${CONCURRENT} tasks at a time`);
    const { contextId } = message;
    const task = new AgentTask(typeof contextId === "string" && contextId !== "" ? contextId : newId());
    tasks.add(messageId, task);
    running++;
    void work(options, sessions, task, messageId, message).finally(() => {
      running--;
    });
    return task;
  };

  const find = (params: JsonObject): AgentTask => {
    const task = tasks.get(String(params["id"]));
    if (task === undefined) throw new RpcFailure(-32001, "Task not found");
    return task;
  };

  const answer = async (method: string, params: JsonObject, id: Json): Promise<Response> => {
    const reply = (result: Json) => jsonResponse({ jsonrpc: "2.0", id, result });
    switch (method) {
      case "message/send": {
        const task = begin(params);
        await untilEnded(task);
        return reply(task.view());
      }
      case "message/stream":
        return streamOf(begin(params), id);
      case "tasks/resubscribe":
        return streamOf(find(params), id);
      case "tasks/get":
        return reply(find(params).view());
      case "tasks/cancel": {
        const task = find(params);
        if (task.ended) throw new RpcFailure(-32002, `the task is ${task.state}`);
        task.cancelling.abort();
        task.end("canceled", "cancelled by the caller");
        return reply(task.view());
      }
      default:
        throw new RpcFailure(-32601, `there is no method ${method.slice(0, 64)}`);
    }
  };

  return async (request) => {
    try {
      if (request.method === "GET" && pathOf(request) === CARD) return jsonResponse(cardOf(options, request));
      if (request.method !== "POST" || pathOf(request) !== "/a2a") throw fail("not_found", "not found");
      checkToken(options.token, request);
      const body = await readJson(request, LIMITS.exchangeBodyBytes);
      const { id = null, method, params } = (isObject(body) ? body : {}) as JsonObject;
      try {
        if (typeof method !== "string") throw new RpcFailure(-32600, "not a request of JSON-RPC");
        return await answer(method, (isObject(params) ? params : {}) as JsonObject, id);
      } catch (error) {
        if (!(error instanceof RpcFailure)) throw error;
        return jsonResponse({ jsonrpc: "2.0", id, error: { code: error.code, message: error.message } });
      }
    } catch (error) {
      return problemResponse(error);
    }
  };
}

class RpcFailure extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function checkToken(token: string | null, request: Request): void {
  if (token === null) return;
  const given = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (given === undefined || !equalSecret(given, token)) throw fail("unauthenticated");
}

function cardOf({ agent, digest, token }: AgentServiceOptions, request: Request): JsonObject {
  const { origin } = new URL(request.url);
  return {
    protocolVersion: "0.3.0",
    name: agent.name,
    description: agent.description ?? `The agent ${agent.name}`,
    version: agent.version,
    url: `${origin}/a2a`,
    preferredTransport: "JSONRPC",
    capabilities: { streaming: true, pushNotifications: false, stateTransitionHistory: false },
    defaultInputModes: ["text/plain", "application/json"],
    defaultOutputModes: ["text/plain", "application/json"],
    skills: (agent.skills ?? []).map(({ name, description }) => ({
      id: name,
      name,
      description: description ?? name,
      tags: [],
    })),
    ...(token === null
      ? {}
      : { securitySchemes: { bearer: { type: "http", scheme: "bearer" } }, security: [{ bearer: [] }] }),
    // Which version answers is never in doubt.
    metadata: { digest },
  } as JsonObject;
}

const untilEnded = (task: AgentTask): Promise<void> =>
  new Promise((resolve) => {
    if (task.ended) resolve();
    else task.watch((event) => event["final"] === true && resolve());
  });

/** The task as it stands, then whatever becomes of it. A caller that goes away changes nothing. */
function streamOf(task: AgentTask, id: Json): Response {
  let unwatch = () => {};
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (result: JsonObject) =>
        controller.enqueue(encoder.encode(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`));
      send(task.view());
      if (task.ended) {
        controller.close();
        return;
      }
      unwatch = task.watch((event) => {
        send(event);
        if (event["final"] === true) controller.close();
      });
    },
    cancel: () => unwatch(),
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}

async function work(
  options: AgentServiceOptions,
  sessions: Sessions,
  task: AgentTask,
  messageId: string,
  message: JsonObject,
): Promise<void> {
  const { agent } = options;
  const asked = askedOf(message);
  const { signal } = task.cancelling;
  // The same message after a restart of the service finds the exchanges that it had.
  const exchangeId = sha256(messageId).slice(0, 32);
  const exchange: Exchange = async (turn, body) => {
    signal.throwIfAborted();
    task.say(`turn ${turn}`);
    try {
      return await options.exchange(`${exchangeId}.turn-${turn}`, body, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ModelFailure(toFailure(error).message);
    }
  };
  const { budgets = {}, model = {} } = agent;
  const told = asked.settings;
  const own = (name: string): number | undefined => {
    const value = (told["budgets"] as JsonObject | undefined)?.[name];
    return typeof value === "number" ? value : undefined;
  };
  const smallest = (one: number | undefined, other: number | undefined, otherwise: number) =>
    Math.min(one ?? otherwise, other ?? Number.POSITIVE_INFINITY);
  try {
    const outcome = await runNative(
      {
        instructions: [
          options.instructions,
          ...(typeof told["instructions"] === "string" ? [told["instructions"]] : []),
        ].join("\n\n"),
        prompt: asked.text === "" ? null : asked.text,
        input: asked.input,
        outputSchema: told["outputSchema"] ?? (agent.outputSchema as Json | undefined) ?? null,
        retry: typeof told["retry"] === "number" ? Math.min(10, told["retry"]) : 2,
        model,
        budgets: {
          tokens: smallest(budgets.tokens, own("tokens"), 100_000),
          costMicros: budgets.costMicros ?? null,
          turns: smallest(budgets.turns, own("turns"), 16),
        },
      },
      exchange,
      { tools: options.tools, history: sessions.of(task.contextId) },
    );
    if ("failed" in outcome) task.end("failed", `${outcome.failed}: ${outcome.detail}`, outcome);
    else {
      const { output } = outcome;
      const answered = typeof output === "string" ? output : JSON.stringify(output);
      sessions.add(task.contextId, asked.text || JSON.stringify(asked.input), answered);
      task.end("completed", "", outcome);
    }
  } catch (error) {
    task.end(signal.aborted ? "canceled" : "failed", toFailure(error).message.slice(0, 1024));
  }
}

/** Text and data of a message, and what LightFlow says beside it. */
function askedOf(message: JsonObject): { text: string; input: Json; settings: JsonObject } {
  const parts = (Array.isArray(message["parts"]) ? message["parts"] : []) as Json[];
  const texts: string[] = [];
  let input: Json = null;
  for (const part of parts) {
    if (!isObject(part)) continue;
    const { kind, text, data } = part as JsonObject;
    if (kind === "text" && typeof text === "string") texts.push(text);
    if (kind === "data" && isObject(data))
      input = "input" in data ? ((data as JsonObject)["input"] ?? null) : data;
  }
  const metadata = isObject(message["metadata"])
    ? (message["metadata"] as JsonObject)["lightflow"]
    : undefined;
  return { text: texts.join("\n"), input, settings: (isObject(metadata) ? metadata : {}) as JsonObject };
}
