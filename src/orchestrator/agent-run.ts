import type { Agent } from "../agents/index.ts";
import { fail } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import type { CallEffectRequest, Effect } from "../engine/index.ts";
import { coversName, type PinnedTemplate, type PolicyLayer } from "../policy/index.ts";
import type { AgentWork } from "../protocol/index.ts";
import type { PublishedAgent } from "../store/index.ts";
import { agentPrograms, checkScope, withCapabilities } from "./agent-tools.ts";

type CallEffect = Extract<Effect, { kind: "call" }>;
type RunEffect = Extract<Effect, { kind: "run" }>;

/** Bytes to the model in one call where nothing else is said: a conversation is sent again with every turn. */
const BYTES = 64 * 1024 * 1024;

/** The call of an agent that policy places on a runner, as work for a lease: final values, and nothing to look up. */
export function agentRun(
  effect: CallEffect,
  { agent, name, version, digest }: PublishedAgent,
  instructions: string,
  outputSchema: Json,
  budgets: JsonObject,
  policy: PolicyLayer,
  templates: Readonly<Record<string, PinnedTemplate>>,
): RunEffect {
  const { request } = effect;
  const light = request.light ?? {};
  checkScope(light);
  const programs = agentPrograms(request.with, agent, policy, templates);
  const { commands, servers } = programs;
  const repair = repairOf(request, agent, policy, commands);
  const work: Omit<AgentWork, "copyOf"> = {
    name,
    version,
    digest,
    modelProviderScope: "tenant",
    dataBoundary: "tenant-network",
    ...(agent.model?.name === undefined ? {} : { model: agent.model.name }),
    instructions,
    prompt: promptOf(request.with),
    allowedTools: [...(agent.tools ?? [])],
    ...(servers.length === 0 ? {} : { mcpServers: [...servers] }),
    ...(programs.templates.length === 0 ? {} : { templates: [...programs.templates] }),
    commands,
    ...(repair === null ? {} : { verify: repair }),
    ...(isObject(outputSchema) ? { outputSchema: outputSchema as JsonObject } : {}),
    budgets: {
      turns: budgets["turns"] as number,
      tokens: budgets["tokens"] as number,
      bytes: BYTES,
      ...(typeof budgets["costMicros"] === "number" ? { costMicros: budgets["costMicros"] } : {}),
    },
    ...(agent.model?.prices === undefined ? {} : { prices: agent.model.prices }),
    protectedPaths: [...(policy.protectedPaths ?? [])],
  };
  return {
    kind: "run",
    id: effect.id,
    step_id: effect.step_id,
    reference: effect.reference,
    request: {
      type: "run.shell",
      command: "lightflow",
      arguments: ["agent", name],
      environment: programs.environment,
      light: {
        ...withCapabilities(light, programs.capabilities),
        agent: work as unknown as JsonObject,
        output: "json",
      },
      timeout_ms: request.timeout_ms,
    },
  };
}

function promptOf(given: JsonObject): string {
  const { prompt, input } = given;
  const parts = [
    ...(typeof prompt === "string" ? [prompt] : []),
    ...(input === undefined || input === null
      ? []
      : [typeof input === "string" ? input : JSON.stringify(input)]),
  ];
  return parts.join("\n\n");
}

/** A repair is an action of its own, which a profile has to allow, with a number of attempts that it bounds. */
function repairOf(
  { with: given }: CallEffectRequest,
  agent: Agent,
  policy: PolicyLayer,
  commands: AgentWork["commands"],
): AgentWork["verify"] | null {
  const repair = given["repair"];
  if (!isObject(repair)) return null;
  const { command, attempts } = repair as JsonObject;
  const denied = (why: string, field: string) => fail("execution_policy_denied", why, { details: { field } });
  const covers = (list: readonly string[] | undefined) =>
    (list ?? []).some((wide) => coversName(wide, "repair"));
  if (!covers(policy.allow?.actions) || covers(policy.deny?.actions))
    throw denied("repairs by agents are not an action that policy allows", "allow.actions");
  if (policy.aiDiagnosisAllowed !== true)
    throw denied("what failed here may not be shown to a model", "aiDiagnosisAllowed");
  if (!commands.some(({ name }) => name === command))
    throw fail(
      "execution_policy_denied",
      `the repair's command ${String(command)} is not among the commands`,
      {
        details: { field: "repair" },
      },
    );
  const most = Math.min(
    policy.limits?.repairAttempts ?? 0,
    agent.budgets?.repairAttempts ?? Number.POSITIVE_INFINITY,
  );
  const wanted = typeof attempts === "number" ? attempts : Math.min(2, most);
  if (wanted > most || wanted < 1)
    throw denied(
      `${wanted} attempts of a repair are more than the ${most} that are allowed`,
      "limits.repairAttempts",
    );
  return { command: String(command), repairAttempts: wanted };
}
