import { digestOf } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import { jsonResponse, pathOf, problemResponse } from "../../base/http.ts";
import { equalSecret, newId } from "../../base/ids.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { StoredAgentTask, TaskBook } from "../../store/agent-service/task-book.ts";
import type { Agent } from "../document.ts";
import type { ToolBox } from "../native.ts";
import { CARD_PATH, cardOf } from "./card.ts";
import { readMessage } from "./message.ts";
import { RPC, RpcFailure, readRpc, rpcRefusal } from "./rpc.ts";
import { streamOf, untilEnded } from "./stream.ts";
import { AgentTask } from "./tasks.ts";
import { CallsUnderWay, journalled } from "./tool-journal.ts";
import { work } from "./work.ts";

const CONCURRENT = 64;
/** `message/send` answers with the task as it then is after this time: a silent connection is cut. */
const SEND_MS = 100_000;

export interface AgentServiceOptions {
  readonly agent: Agent;
  readonly digest: string;
  /** The agent's own instructions with the texts of its skills. */
  readonly instructions: string;
  readonly tools: ToolBox;
  /** Null where only this host can reach it. */
  readonly token: string | null;
  /** Tasks and sessions; it is the caller's to close, after `stop`. */
  readonly book: TaskBook;
  readonly log: Log;
  /** One exchange with the model, known by its id; the signal takes it back. */
  exchange(id: string, body: JsonObject, signal: AbortSignal): Promise<Json>;
}

export interface AgentService {
  handle(request: Request): Promise<Response>;
  /** Nothing more is begun or written; calls of tools that are under way have this long to end. */
  stop(): Promise<void>;
}

/**
 * A published agent as a service of its own, over A2A 0.3: JSON-RPC on `/a2a`, its card at the well-known place. What was
 * being worked on when an earlier process ended is taken up at once.
 */
export function agentService(options: AgentServiceOptions): AgentService {
  const { book } = options;
  /** Those that are being worked on; the others are read from the book. */
  const live = new Map<string, AgentTask>();
  const underWay = new CallsUnderWay();
  let closing = false;

  const takeUp = (stored: StoredAgentTask): AgentTask => {
    const task = new AgentTask(stored);
    const { signal } = task.cancelling;
    const tools = journalled(options.tools, book, task.id, signal, underWay, () => closing);
    live.set(task.id, task);
    void work(options, book, stored, task, tools, () => closing)
      .catch((error: unknown) =>
        // It is not told either: the next process takes the task up.
        options.log.error("the end of a task could not be written", { task: task.id, error: String(error) }),
      )
      .finally(() => live.delete(task.id));
    return task;
  };
  for (const stored of book.unfinished()) takeUp(stored);

  const known = (stored: StoredAgentTask): AgentTask => live.get(stored.id) ?? new AgentTask(stored);

  const begin = (params: JsonObject): AgentTask => {
    const { messageId, contextId, taskId, whole } = readMessage(params);
    const messageDigest = digestOf(whole);
    const earlier = book.begunBy(messageId);
    if (earlier !== null) {
      if (earlier.messageDigest !== messageDigest)
        throw new RpcFailure(RPC.params, `the message ${messageId} was sent before with other content`);
      return known(earlier);
    }
    if (taskId !== null) {
      find({ id: taskId });
      throw new RpcFailure(
        RPC.unsupported,
        "a task takes one message: send the next one with its contextId alone",
      );
    }
    if (closing || live.size >= CONCURRENT)
      throw new RpcFailure(
        RPC.busy,
        closing ? "the service ends" : `more than ${CONCURRENT} tasks at a time`,
      );
    const context = contextId ?? newId();
    const task = {
      id: newId(),
      messageId,
      messageDigest,
      agent: options.digest,
      contextId: context,
      work: { message: whole, history: book.session(context) },
      now: Date.now(),
    };
    // On disk before anything is asked or answered.
    book.begin(task);
    return takeUp({ ...task, state: "working", said: "", outcome: null, changedAt: task.now });
  };

  const find = (params: JsonObject): AgentTask => {
    const { id } = params;
    if (typeof id !== "string") throw new RpcFailure(RPC.params, "params.id is missing");
    const stored = book.find(id);
    if (stored === null) throw new RpcFailure(RPC.taskNotFound, "Task not found");
    return known(stored);
  };

  const cancel = (params: JsonObject): AgentTask => {
    const task = find(params);
    const [said, now] = ["cancelled by the caller", Date.now()];
    if (!book.end(task.id, { state: "canceled", said, outcome: null, now }, null))
      throw new RpcFailure(RPC.taskNotCancelable, `the task is ${find(params).state}`);
    task.cancelling.abort();
    task.end("canceled", said, null, now);
    return task;
  };

  const answer = async (method: string, params: JsonObject, id: Json): Promise<Response> => {
    const reply = (result: Json) => jsonResponse({ jsonrpc: "2.0", id, result });
    switch (method) {
      case "message/send": {
        const task = begin(params);
        const { configuration } = params;
        const waits = !isObject(configuration) || (configuration as JsonObject)["blocking"] !== false;
        if (waits) await untilEnded(task, SEND_MS);
        return reply(task.view());
      }
      case "message/stream":
        return streamOf(begin(params), id);
      case "tasks/resubscribe":
        return streamOf(find(params), id);
      case "tasks/get":
        return reply(find(params).view());
      case "tasks/cancel":
        return reply(cancel(params).view());
      case "agent/getAuthenticatedExtendedCard":
        throw new RpcFailure(RPC.noExtendedCard, "the card at the well-known place is the whole one");
      default:
        if (method.startsWith("tasks/pushNotificationConfig/"))
          throw new RpcFailure(RPC.pushNotSupported, "Push Notification is not supported");
        throw new RpcFailure(RPC.method, `there is no method ${method.slice(0, 64)}`);
    }
  };

  return {
    async handle(request) {
      let id: Json = null;
      try {
        if (request.method === "GET" && pathOf(request) === CARD_PATH) {
          const { agent, digest, token } = options;
          return jsonResponse(cardOf(agent, digest, token !== null, new URL(request.url).origin));
        }
        if (request.method !== "POST" || pathOf(request) !== "/a2a") throw fail("not_found", "not found");
        checkToken(options.token, request);
        const rpc = await readRpc(request);
        id = rpc.id;
        return await answer(rpc.method, rpc.params, id);
      } catch (error) {
        return error instanceof RpcFailure ? rpcRefusal(id, error) : problemResponse(error);
      }
    },
    async stop() {
      closing = true;
      const late = new AbortController();
      await Promise.race([
        underWay.ended(),
        new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, LIMITS.killGraceMs);
          late.signal.addEventListener("abort", () => clearTimeout(timer));
        }),
      ]);
      late.abort();
    },
  };
}

function checkToken(token: string | null, request: Request): void {
  if (token === null) return;
  const given = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (given === undefined || !equalSecret(given, token)) throw fail("unauthenticated");
}
