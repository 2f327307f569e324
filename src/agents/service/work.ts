import { toFailure } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { StoredAgentTask, TaskBook } from "../../store/agent-service/task-book.ts";
import type { Agent } from "../document.ts";
import { type Exchange, ModelFailure, runNative, type ToolBox } from "../native.ts";
import type { AgentOutcome, AgentUsage } from "../outcome.ts";
import { type Asked, askedOf } from "./message.ts";
import type { AgentServiceOptions } from "./serve.ts";
import { remembered } from "./sessions.ts";
import type { AgentTask } from "./tasks.ts";

const TOKENS = 100_000;
const TURNS = 16;
const RETRIES = 2;
const MOST_RETRIES = 10;
const NO_USE: AgentUsage = { turns: 0, inputTokens: 0, outputTokens: 0, costMicros: null };

const failed = (detail: string): AgentOutcome => ({ failed: "agent_service_failed", detail, usage: NO_USE });

/**
 * Work on a task until it ends, and write its end down. One that was begun before a restart is taken up: its exchanges and
 * the calls of its tools are known by its id and their numbers.
 * @param isClosing nothing is written any more: the next process takes the task up
 */
export async function work(
  options: AgentServiceOptions,
  book: TaskBook,
  stored: StoredAgentTask,
  task: AgentTask,
  tools: ToolBox,
  isClosing: () => boolean,
): Promise<void> {
  const { signal } = task.cancelling;
  let outcome: AgentOutcome;
  let asked: Asked | null = null;
  try {
    asked = askedOf(stored.work!.message);
    outcome =
      stored.agent === options.digest
        ? await reason(options, stored, asked, task, tools)
        : failed("the service was started again with another version of the agent");
  } catch (error) {
    // Whoever cancelled has written the end.
    if (signal.aborted || isClosing()) return;
    outcome = failed(toFailure(error).message.slice(0, 1024));
  }
  if (isClosing()) return;
  const now = Date.now();
  if ("failed" in outcome) {
    const said = `${outcome.failed}: ${outcome.detail}`;
    if (book.end(task.id, { state: "failed", said, outcome, now }, null))
      task.end("failed", said, outcome, now);
    return;
  }
  const { output } = outcome;
  const answered = typeof output === "string" ? output : JSON.stringify(output);
  const messages = remembered(
    book.session(task.contextId),
    asked!.text || JSON.stringify(asked!.input),
    answered,
  );
  const session = { id: task.contextId, messages };
  if (book.end(task.id, { state: "completed", said: "", outcome, now }, session))
    task.end("completed", "", outcome, now);
}

async function reason(
  options: AgentServiceOptions,
  stored: StoredAgentTask,
  asked: Asked,
  task: AgentTask,
  tools: ToolBox,
): Promise<AgentOutcome> {
  const { agent } = options;
  const { signal } = task.cancelling;
  const exchange: Exchange = async (turn, body) => {
    signal.throwIfAborted();
    task.say(`turn ${turn}`);
    try {
      return await options.exchange(`${stored.id}.turn-${turn}`, body, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ModelFailure(toFailure(error).message);
    }
  };
  const outcome = await runNative(
    {
      instructions: [options.instructions, ...(asked.instructions === null ? [] : [asked.instructions])].join(
        "\n\n",
      ),
      prompt: asked.text === "" ? null : asked.text,
      input: asked.input,
      outputSchema: asked.outputSchema ?? (agent.outputSchema as Json | undefined) ?? null,
      retry: Math.min(MOST_RETRIES, asked.retry ?? RETRIES),
      model: agent.model ?? {},
      budgets: budgetsOf(agent, asked),
    },
    exchange,
    { ...(tools.definitions.length === 0 ? {} : { tools }), history: stored.work!.history },
  );
  if ("failed" in outcome) return outcome;
  const size = JSON.stringify(outcome.output).length;
  return size <= LIMITS.callResponseBytes
    ? outcome
    : {
        failed: "agent_output_invalid",
        detail: `the answer is over ${LIMITS.callResponseBytes} bytes`,
        usage: outcome.usage,
      };
}

/** What the agent allows, and no more than the caller does. */
function budgetsOf({ budgets = {} }: Agent, asked: Asked) {
  const costs = [budgets.costMicros, asked.costMicros].filter((each) => typeof each === "number");
  return {
    tokens: Math.min(budgets.tokens ?? TOKENS, asked.tokens ?? Number.POSITIVE_INFINITY),
    costMicros: costs.length === 0 ? null : Math.min(...(costs as number[])),
    turns: Math.min(budgets.turns ?? TURNS, asked.turns ?? Number.POSITIVE_INFINITY),
  };
}
