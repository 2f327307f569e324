import { type Agent, composedInstructions } from "../agents/index.ts";
import { Failure, fail } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { type CallEffectRequest, type Effect, type EngineInput, taskError } from "../engine/index.ts";
import {
  type AgentPlacement,
  agentMode,
  agentQuestion,
  foldedOf,
  type PolicyLayer,
  placeAgent,
  type SnapshotWithDigest,
  taskPolicy,
  taskRequestLayer,
} from "../policy/index.ts";
import type { AgentLookup, PlacedAgent, PublishedAgent, StoredInput } from "../store/index.ts";
import { agentRun } from "./agent-run.ts";
import { diagnosisRequest } from "./diagnosis.ts";

type CallEffect = Extract<Effect, { kind: "call" }>;

/** Turns of one call at most where the agent says nothing: its first answer, and the ones that it is asked for again. */
const TURNS = 16;
/** Tokens of one call where neither task nor agent says anything. */
const TOKENS = 100_000;

/**
 * Where the call of an agent is made, by policy, and everything that it is made of: whoever makes it, now or after a
 * restart, looks nothing up. What policy refuses becomes an input that fails the step. @returns null for any other call
 */
export function placeAgentCall(
  effect: CallEffect,
  published: AgentLookup,
  policyOf: () => SnapshotWithDigest,
): PlacedAgent | { denied: StoredInput; placement: JsonObject } | null {
  const { request: asked } = effect;
  if (asked.call !== "agent" && asked.call !== "agent-service") return null;
  const reference = String(asked.with["agent"]);
  const isDiagnosis = asked.with["diagnose"] !== undefined;
  const found = published.agent(reference);
  const facts: JsonObject = {
    agent: found === null ? reference : `${found.name}:${found.version}`,
    ...(found === null ? {} : { digest: found.digest }),
    privateData: asked.private === true,
    ...(isDiagnosis ? { diagnosis: true } : {}),
  };
  try {
    const snapshot = policyOf();
    const policy = taskPolicy(foldedOf(snapshot), {
      layer: taskRequestLayer(asked as unknown as JsonObject, asked.light ?? {}),
      reference: effect.reference,
    });
    const request = isDiagnosis ? diagnosisRequest(asked, found?.agent, policy) : asked;
    const mode = agentMode(request.call, request.with);
    if (found === null && mode !== "service") throw unknownAgent(reference);
    const placed = placeAgent(
      agentQuestion(mode, request.light ?? {}, found?.agent, request.private === true),
      policy,
    );
    const placement: JsonObject = {
      ...facts,
      mode: mode ?? "policy",
      agentPlacement: placed.agentPlacement,
      modelProviderScope: placed.modelProviderScope,
      dataBoundary: placed.dataBoundary,
      reasons: [...placed.reasons],
    };
    if (placed.agentPlacement === "runner") {
      const { with: given } = request;
      const run = agentRun(
        { ...effect, request },
        found!,
        instructionsOf(found!.agent, given, published),
        given["outputSchema"] ?? (found!.agent.outputSchema as Json | undefined) ?? null,
        budgetsOf(given, found!.agent, policy),
        policy,
        snapshot.body.templates,
      );
      return { effect: run, placement };
    }
    return { effect: { ...effect, request: pinned(request, placed, found, policy, published) }, placement };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const isMissing = error.code === "not_found";
    const kind = isMissing ? "configuration" : "authorization";
    const code = isMissing ? "agent_not_found" : error.code;
    const title = isMissing ? "The agent is not there" : "Refused by policy";
    const detail = isMissing && error.hint !== undefined ? `${error.message}; ${error.hint}` : error.message;
    // Work goes on without a diagnosis that policy does not allow, and says so; nobody else is asked in its place.
    const skips = isDiagnosis && error.code === "execution_policy_denied";
    const why = { code, reason: error.message };
    const denied: EngineInput = skips
      ? { kind: "effect_succeeded", effect: effect.id, output: { skipped: why } }
      : {
          kind: "effect_failed",
          effect: effect.id,
          error: taskError(kind, detail, { code }, title),
        };
    return {
      denied: denied as unknown as StoredInput,
      placement: { ...facts, ...(skips ? { skipped: true } : {}), ...why },
    };
  }
}

const unknownAgent = (reference: string) =>
  fail("not_found", `no agent is published as ${reference}`, {
    hint: "`lightflow agent publish` publishes one",
  });

function pinned(
  request: CallEffectRequest,
  placed: AgentPlacement,
  found: PublishedAgent | null,
  policy: PolicyLayer,
  published: AgentLookup,
): CallEffectRequest {
  const given = request.with;
  const about: JsonObject =
    found === null
      ? { name: String(given["agent"]) }
      : { name: found.name, version: found.version, digest: found.digest };
  const common: JsonObject = {
    agent: about,
    placement: placed.agentPlacement,
    prompt: given["prompt"] ?? null,
    input: given["input"] ?? null,
    outputSchema: given["outputSchema"] ?? (found?.agent.outputSchema as Json | undefined) ?? null,
    retry: given["retry"] ?? 0,
    budgets: budgetsOf(given, found?.agent, policy),
  };
  if (placed.agentPlacement === "service") {
    const endpoint = given["endpoint"] ?? found?.agent.service?.endpoint;
    if (endpoint === undefined)
      throw fail("not_found", `nothing says where the service of the agent ${about["name"]} is`, {
        hint: "give `endpoint`, or publish the agent with `service.endpoint`",
      });
    return {
      ...request,
      call: "agent-service",
      with: {
        ...common,
        endpoint,
        instructions: given["instructions"] ?? null,
        session: given["session"] ?? null,
      },
    };
  }
  const { agent } = found!;
  return {
    ...request,
    call: "agent",
    with: {
      ...common,
      instructions: instructionsOf(agent, given, published),
      model: (agent.model ?? {}) as JsonObject,
      ...(agent.model?.provider === "none" ? { mockOutput: given["mockOutput"] ?? null } : {}),
    },
  };
}

function instructionsOf(agent: Agent, given: JsonObject, published: AgentLookup): string {
  const { skill, instructions } = given;
  return composedInstructions(agent, (digest) => published.skill(digest), {
    ...(skill === undefined ? {} : { skill: String(skill) }),
    ...(instructions === undefined ? {} : { instructions: String(instructions) }),
  });
}

/** The smallest of task, agent and policy; a task that asks for more than the others allow is refused. */
function budgetsOf(given: JsonObject, agent: Agent | undefined, policy: PolicyLayer): JsonObject {
  const smallest = (
    name: string,
    asked: Json | undefined,
    own: number | undefined,
    bound: number | undefined,
  ): number | null => {
    const most = Math.min(own ?? Number.POSITIVE_INFINITY, bound ?? Number.POSITIVE_INFINITY);
    if (typeof asked === "number") {
      if (asked > most)
        throw fail("execution_policy_denied", `${name} ${asked} is more than the ${most} that are allowed`, {
          details: { field: name },
        });
      return asked;
    }
    return own === undefined ? null : Math.min(own, most);
  };
  const limits = policy.limits ?? {};
  const tokens = smallest("tokenBudget", given["tokenBudget"], agent?.budgets?.tokens, limits.modelTokens);
  const cost = smallest(
    "costBudgetMicros",
    given["costBudgetMicros"],
    agent?.budgets?.costMicros,
    limits.modelCostMicros,
  );
  if (given["costBudgetMicros"] !== undefined && agent !== undefined && agent.model?.prices === undefined)
    throw fail("execution_policy_denied", "costBudgetMicros: nothing says what a token of the agent costs", {
      hint: "publish the agent with model.prices",
    });
  return {
    tokens: tokens ?? Math.min(TOKENS, limits.modelTokens ?? TOKENS),
    // Cost that can be counted is bounded by policy, also where neither task nor agent names a budget.
    costMicros: cost ?? (agent?.model?.prices === undefined ? null : (limits.modelCostMicros ?? null)),
    turns: agent?.budgets?.turns ?? TURNS,
  };
}
