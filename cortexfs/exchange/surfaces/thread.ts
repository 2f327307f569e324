import { fail } from "../../../src/base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../../src/base/json.ts";
import { errno } from "../../fuse/errno.ts";
import type { Engine } from "../engine.ts";
import { runLoop } from "../loop.ts";
import { Denied, type Plan, type Planner } from "../plan.ts";
import { bodyObject, bodyText } from "./body.ts";

/** The messages that a body adds: `{"content"}`, `{"role","content"}` or `{"messages":[…]}`. */
function newMessages(body: JsonObject): JsonObject[] {
  const list: Json[] = Array.isArray(body["messages"])
    ? body["messages"]
    : [{ role: body["role"] ?? "user", content: body["content"] ?? null }];
  const messages = list.filter(
    (item): item is JsonObject =>
      isObject(item) &&
      ["user", "system", "assistant"].includes(String(item["role"])) &&
      (typeof item["content"] === "string" || Array.isArray(item["content"])),
  );
  if (messages.length === 0 || messages.length !== list.length) throw errno("EINVAL");
  return messages;
}

const texts = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];

/** Where the limits of a thread's tool loop are set, with the defaults of the contract. */
export function loopLimits(engine: Engine, uid: number, id: string): { steps: number; timeMs: number } {
  const read = (name: string, fallback: number): number => {
    const text = engine.settings.get(`home/${uid}/thread/${id}/tool-loop/limit/${name}`)?.trim();
    return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : fallback;
  };
  return { steps: read("max_steps", 64), timeMs: read("max_time_ms", 300_000) };
}

/**
 * `home/<uid>/thread/<id>/inbox`: the body's messages and the answer are added to the thread. `tools` names tools that
 * the model may call meanwhile; policy decides on each call.
 */
export const planThread: Planner = (engine, request): Plan => {
  const id = request.surface.slice("thread/".length);
  const body = bodyObject(bodyText(request.body));
  const added = newMessages(body);
  const model = typeof body["model"] === "string" ? body["model"] : undefined;
  const route = engine.route(request.uid, "openai.chat", model, request.fingerprint);
  if (route.reason !== "ready") throw new Denied(route.reason, route.provider);
  const { uid } = request;
  const provider = engine.providers().get(route.provider)!;
  const thread = engine.threads.get(uid, id);
  thread.state = "queued";
  const touch = (): void => engine.changed(`home/${uid}/thread`);
  return {
    route: {
      request_id: request.id,
      format: "openai.chat",
      provider: route.provider,
      model: route.model,
      reason: route.reason,
      fingerprint: request.fingerprint,
    },
    provider,
    streams: body["stream"] === true,
    run: async (context) => {
      // One turn after the other: a thread has one history.
      const before = thread.tail;
      let done = (): void => {};
      thread.tail = new Promise<void>((resolve) => {
        done = resolve;
      });
      await before;
      try {
        context.signal.throwIfAborted();
        thread.state = "running";
        touch();
        const limits = loopLimits(engine, uid, id);
        const result = await runLoop(engine, context, {
          route,
          history: engine.threads.messages(uid, id),
          added,
          tools: texts(body["tools"]),
          stream: body["stream"] === true,
          limits,
          onStep: (step) => {
            thread.steps += `${JSON.stringify(step)}\n`;
            touch();
          },
        });
        engine.threads.append(uid, id, result.messages);
        thread.state = "idle";
        return result;
      } catch (error) {
        const limit = error instanceof Error && "limit" in error;
        thread.state = context.signal.aborted ? "cancelled" : limit ? "limit_exceeded" : "idle";
        throw context.signal.aborted ? fail("execution_cancelled", "the request was cancelled") : error;
      } finally {
        done();
        touch();
      }
    },
  };
};
