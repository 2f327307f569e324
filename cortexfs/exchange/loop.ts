import { fail } from "../../src/base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../src/base/json.ts";
import type { Attempt } from "../providers/call.ts";
import { openaiChat } from "../providers/openai-chat.ts";
import type { Engine } from "./engine.ts";
import { actorFacts, type RunContext, type RunResult } from "./plan.ts";
import type { Route } from "./routing.ts";
import { schemaProblem } from "./schema-check.ts";

export interface LoopOptions {
  readonly route: Route;
  readonly system?: string;
  /** Earlier messages, in the `openai.chat` form. */
  readonly history: readonly JsonObject[];
  readonly added: readonly JsonObject[];
  /** Ids of tools that the model may call. */
  readonly tools: readonly string[];
  readonly stream: boolean;
  readonly limits: { readonly steps: number; readonly timeMs: number };
  readonly onStep: (step: JsonObject) => void;
}

export interface LoopResult extends RunResult {
  /** What the conversation gained: the added messages, calls, results and the answer. */
  readonly messages: readonly JsonObject[];
}

/** Names of functions on the wire hold no dots. */
const wireName = (id: string): string => id.replaceAll(".", "__");

/** Ask the model, run the tools it calls, and ask again, until it answers without a call or a limit is reached. */
export async function runLoop(
  engine: Engine,
  context: RunContext,
  options: LoopOptions,
): Promise<LoopResult> {
  const deadline = engine.clock.monotonic() + options.limits.timeMs;
  const tools = options.tools.flatMap((id) => engine.tools.get(id) ?? []);
  const messages: JsonObject[] = [...options.added];
  const attempts: Attempt[] = [];
  let input = 0;
  let output = 0;
  const provider = engine.providers().get(options.route.provider);
  for (let step = 1; ; step++) {
    const left = deadline - engine.clock.monotonic();
    if (step > options.limits.steps || left <= 0) {
      options.onStep({ step, type: "control", reason: "limit_exceeded" });
      throw Object.assign(fail("execution_timeout", "the tool loop reached its limit"), { limit: true });
    }
    const body: JsonObject = {
      messages: [
        ...(options.system === undefined ? [] : [{ role: "system", content: options.system }]),
        ...options.history,
        ...messages,
      ],
      ...(tools.length === 0
        ? {}
        : {
            tools: tools.map((tool) => ({
              type: "function",
              function: {
                name: wireName(tool.id),
                description: tool.description,
                parameters: tool.inputSchema,
              },
            })),
          }),
      ...(options.stream ? { stream: true } : {}),
    };
    const timeoutMs = Math.max(1, Math.min(left, provider?.timeoutMs ?? left));
    const result = await engine.chat(
      { format: "openai.chat", body, route: options.route, timeoutMs },
      context,
    );
    attempts.push(...result.attempts);
    input += result.answer.usage.input;
    output += result.answer.usage.output;
    const answer = openaiChat.writeResponse(result.answer, engine.clock.wall());
    const choice = Array.isArray(answer["choices"]) ? answer["choices"][0] : undefined;
    const message = (isObject(choice) ? choice["message"] : {}) as JsonObject;
    messages.push(message);
    options.onStep({ step, type: "model", provider: result.attempts.at(-1)?.provider ?? "" });
    const calls = result.answer.parts.filter((part) => part.type === "call");
    if (calls.length === 0 || tools.length === 0) {
      const last = result.attempts.at(-1);
      return {
        body: `${result.body.trimEnd()}\n`,
        messages,
        attempts,
        inputTokens: input,
        outputTokens: output,
        ...(last === undefined ? {} : { provider: last.provider, model: last.model }),
      };
    }
    for (const call of calls) {
      options.onStep({ step, type: "tool_call", tool: call.name, call: call.id });
      const content = await callTool(
        engine,
        context,
        tools.map((tool) => tool.id),
        call.name,
        call.input,
      );
      options.onStep({ step, type: "tool_result", tool: call.name, call: call.id });
      messages.push({ role: "tool", tool_call_id: call.id, content });
    }
  }
}

/** What the model is told of a call: the output, or why there is none. A denied call does not end the conversation. */
async function callTool(
  engine: Engine,
  context: RunContext,
  offered: readonly string[],
  name: string,
  input: string,
): Promise<string> {
  const id = offered.find((tool) => wireName(tool) === name);
  const tool = id === undefined ? undefined : engine.tools.get(id);
  const { row, signal } = context;
  if (tool === undefined) return JSON.stringify({ error: `no such tool: ${name}` });
  if (!engine.tools.isAllowed(tool, row.uid)) {
    engine.audit.add({ event: "denied", ...actorFacts(row), name: row.id, tool: tool.id, decision: "deny" });
    return JSON.stringify({ error: `policy does not allow ${tool.id}` });
  }
  let value: Json;
  try {
    value = JSON.parse(input) as Json;
  } catch {
    return JSON.stringify({ error: "the input is not JSON" });
  }
  const problem = schemaProblem(tool.inputSchema, value);
  if (problem !== undefined)
    return JSON.stringify({ error: `the input does not match the schema: ${problem}` });
  try {
    return JSON.stringify(
      await engine.runTool(tool, value as JsonObject, { ...actorFacts(row), name: row.id }, signal),
    );
  } catch (error) {
    signal.throwIfAborted();
    return JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
  }
}
