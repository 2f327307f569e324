import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import { coversHost, coversName } from "./cover.ts";
import { coversOf, deniedOf } from "./fields.ts";

/** Where a task is executed: by the orchestrator itself, under a lease by a runner, or by a service that is called. */
export type Runtime = "orchestrator" | "runner" | "service";

export interface Placement {
  readonly runtime: Runtime;
  readonly reasons: readonly string[];
}

/** Tasks that nothing but a runner executes, wherever they come from. */
const EFFECTFUL = ["run.shell", "run.script", "run.container"];

/** What a call goes to, as its own text says. */
export interface CallTarget {
  /** Null when it is computed at run time. */
  readonly host: string | null;
  /** Of a server that the call starts and speaks to over its standard streams. */
  readonly program: string | null;
}

/**
 * Where a task goes. Pure tasks never leave the orchestrator and programs never enter it; any other call goes by its
 * destination.
 */
export function placeTask(type: string, { host, program }: CallTarget, policy: PolicyLayer): Placement {
  if (EFFECTFUL.includes(type)) return { runtime: "runner", reasons: [`${type} has effects on its host`] };
  if (type === "call.agent-service") {
    return { runtime: "service", reasons: ["the task names a service, which is never chosen in silence"] };
  }
  if (!type.startsWith("call.")) {
    return { runtime: "orchestrator", reasons: [`${type} changes nothing but the workflow's own state`] };
  }
  if (program !== null)
    return { runtime: "runner", reasons: [`${program} is a program, and the orchestrator starts none`] };
  if (host === null) {
    return {
      runtime: "orchestrator",
      reasons: ["calls go out from the orchestrator unless their host is private"],
    };
  }
  const isPrivate = (policy.privateHosts ?? []).find((pattern) => coversHost(pattern, host));
  return isPrivate === undefined
    ? { runtime: "orchestrator", reasons: [`${host} is not one of the tenant's private hosts`] }
    : { runtime: "runner", reasons: [`${host} is private to the tenant's network (${isPrivate})`] };
}

/** The target that a task names in its own text. */
export function callTarget(task: JsonObject): CallTarget {
  const given = isObject(task["with"]) ? (task["with"] as JsonObject) : {};
  const stdio = isObject(given["transport"]) ? given["transport"]["stdio"] : undefined;
  if (task["call"] === "mcp" && isObject(stdio)) return { host: null, program: String(stdio["command"]) };
  return { host: hostOf(given), program: null };
}

function hostOf(given: JsonObject): string | null {
  const transport = isObject(given["transport"]) ? given["transport"]["http"] : given["server"];
  const endpoint = given["endpoint"] ?? (isObject(transport) ? transport["endpoint"] : undefined);
  const uri = isObject(endpoint) ? endpoint["uri"] : endpoint;
  return typeof uri === "string" ? (URL.parse(uri)?.hostname ?? null) : null;
}

export type AgentMode = "native" | "runner" | "service";
export type ModelScope = "saas" | "tenant" | "service";

/** What an agent's task says about itself, and what is known of its input. */
export interface AgentQuestion {
  /** As the task asks; without it the placement follows from what the agent needs. */
  readonly mode?: AgentMode;
  readonly tools: readonly string[];
  readonly files: boolean;
  readonly privateNetwork: boolean;
  /** Its input holds what came from the tenant's network, files or logs. */
  readonly privateData: boolean;
  readonly modelProviderScope?: ModelScope;
  readonly modelProvider?: string;
}

export interface AgentPlacement extends Placement {
  readonly agentPlacement: "workflow" | "runner" | "service";
  readonly modelProviderScope: ModelScope;
  readonly dataBoundary: "saas-workflow-context" | "tenant-network" | "service";
  /** The scheme of the only references to a model credential that may go there. */
  readonly credentialScheme: "saas-secret" | "runner-secret" | "service-secret";
}

const PLACES = {
  native: {
    runtime: "orchestrator",
    agentPlacement: "workflow",
    scope: "saas",
    credentialScheme: "saas-secret",
  },
  runner: { runtime: "runner", agentPlacement: "runner", scope: "tenant", credentialScheme: "runner-secret" },
  service: {
    runtime: "service",
    agentPlacement: "service",
    scope: "service",
    credentialScheme: "service-secret",
  },
} as const;

/**
 * Where an agent runs and whose model it calls, decided together. What needs files, tools or the private network runs
 * under a lease; a task that asks to stay in the workflow process is refused then, never moved in silence.
 * @throws Failure `execution_policy_denied` with `details.field`
 */
export function placeAgent(question: AgentQuestion, policy: PolicyLayer): AgentPlacement {
  const scopes = policy.allow?.modelProviderScopes ?? [];
  const mayGoToSaas = policy.tenantDataToSaas === true;
  const needs = [
    ...(question.files ? ["it works on files"] : []),
    ...(question.tools.length > 0 ? [`it uses tools: ${question.tools.join(", ")}`] : []),
    ...(question.privateNetwork ? ["it needs the tenant's network"] : []),
    ...(question.privateData && !mayGoToSaas ? ["its input is private to the tenant"] : []),
    ...(question.mode === undefined && !names(scopes, "saas")
      ? ["only the tenant's model providers are allowed"]
      : []),
  ];
  if (question.mode === "native" && needs.length > 0) {
    throw denied("agentPlacements", `an agent in the workflow process cannot have this: ${needs.join("; ")}`);
  }
  const mode: AgentMode = question.mode ?? (needs.length > 0 ? "runner" : "native");
  const place = PLACES[mode];
  within(policy, "agentPlacements", place.agentPlacement);

  // A native agent may call the tenant's own model too; a runner's agent calls no model of the service.
  const scope =
    question.modelProviderScope ?? (mode === "native" && !names(scopes, "saas") ? "tenant" : place.scope);
  within(policy, "modelProviderScopes", scope);
  if (mode === "runner" && scope === "saas" && !mayGoToSaas) {
    throw denied(
      "tenantDataToSaas",
      "a runner's agent calls the service's models only where the tenant's policy says so",
    );
  }
  if (mode !== "runner" && question.privateData && scope !== "tenant" && !mayGoToSaas) {
    throw denied(
      "tenantDataToSaas",
      "what is private to the tenant goes to the tenant's own model providers",
    );
  }
  if (question.modelProvider !== undefined) within(policy, "modelProviders", question.modelProvider);
  for (const tool of question.tools) within(policy, "tools", tool);

  const dataBoundary =
    mode === "service"
      ? "service"
      : mode === "runner" || scope === "tenant"
        ? "tenant-network"
        : "saas-workflow-context";
  within(policy, "dataBoundaries", dataBoundary);
  return {
    runtime: place.runtime,
    agentPlacement: place.agentPlacement,
    modelProviderScope: scope,
    dataBoundary,
    // Not even a policy that lets data out lets the service's credential into a runner.
    credentialScheme: place.credentialScheme,
    reasons:
      question.mode === undefined
        ? needs.length > 0
          ? needs
          : ["it only reasons over the workflow's context"]
        : [`the task asks for ${mode}`, ...needs],
  };
}

const names = (patterns: readonly string[], name: string): boolean =>
  patterns.some((pattern) => coversName(pattern, name));

type AgentSet = "agentPlacements" | "modelProviderScopes" | "modelProviders" | "tools" | "dataBoundaries";

function within(policy: PolicyLayer, set: AgentSet, name: string): void {
  const allowed = (policy.allow?.[set] ?? []).some((wide) => coversOf(set)(wide, name));
  if (allowed && deniedOf(set, [name], policy.deny?.[set] ?? []) === null) return;
  throw denied(set, `${name} is not one that policy allows`);
}

const denied = (set: string, why: string) =>
  fail("execution_policy_denied", `${set}: ${why}`, {
    details: { field: set === "tenantDataToSaas" ? set : `allow.${set}` },
  });
