import { BROWSER_DEFAULTS } from "../base/browser.ts";
import { digestOf } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import type { Effect } from "../engine/index.ts";
import { coversName, coversPath, type EffectivePolicy, overlaps, type PolicyLayer } from "../policy/index.ts";
import {
  type AgentWork,
  type FixedAction,
  Material,
  SANDBOX_PROVIDERS,
  type SandboxProvider,
  type TaskPayload,
  validate,
  type WorkspaceWish,
  workspaceWish,
} from "../protocol/index.ts";
import type { InstanceRow } from "../store/index.ts";
import { denied } from "./admits.ts";
import { hostMount, mountsOf } from "./mounts.ts";
import { actionGiven, runTask } from "./run-task.ts";

/** A call that a runner makes is a task like a command, of this product's own code. */
export type RunEffect = Extract<Effect, { kind: "run" }> & {
  readonly call?: "http" | "mcp";
  /** Of a server that is the task's own program: what is asked of it. */
  readonly ask?: string;
};

/** The providers that policy allows, where it does not allow all. */
function sandboxProviders({ policy }: EffectivePolicy): { providers?: SandboxProvider[] } {
  const covered = (patterns: readonly string[] | undefined, name: string) =>
    (patterns ?? []).some((wide) => coversName(wide, name));
  const { allow, deny } = policy;
  const providers = SANDBOX_PROVIDERS.filter(
    (name) =>
      (allow?.sandboxProviders === undefined || covered(allow.sandboxProviders, name)) &&
      !covered(deny?.sandboxProviders, name),
  );
  if (providers.length === 0) throw denied("policy leaves no sandbox provider", "allow.sandboxProviders");
  return providers.length === SANDBOX_PROVIDERS.length ? {} : { providers };
}

const SECRET = /runner-secret:\/\//;
const SAAS_SECRET = "saas-secret://";

function taskTypeOf({ call, request }: RunEffect): string {
  if (call !== undefined) return `call.${call}`;
  return isObject(request.light["agent"]) ? "call.agent" : request.type;
}

/** What a runner is given of a task, under the policy that holds for it. @throws Failure: what policy refuses */
export function taskPayload(effect: RunEffect, row: InstanceRow, effective: EffectivePolicy): TaskPayload {
  const { request } = effect;
  const { light } = request;
  const { policy, template } = effective;
  const given = runTask(request, effective);
  const task = effect.ask === undefined ? given : { ...given, stdin: effect.ask };
  const serviceSecret = Object.entries(task.environment).find(([, value]) => value.includes(SAAS_SECRET));
  if (serviceSecret !== undefined)
    throw fail(
      "secret_denied",
      `${serviceSecret[0]} refers to a secret of the service, which no runner is given`,
    );
  const usesSecrets = Object.values(task.environment).some((value) => SECRET.test(value));
  if (usesSecrets && policy.secretPolicy === "none") {
    throw denied("the task uses a secret, and its secret policy is none", "secretPolicy");
  }
  const wish = workspaceWish(light["workspace"]);
  const isAgent = isObject(light["agent"]);
  // The workspace of an agent is a copy of the session's, which nobody sees after it.
  const staysSecret = usesSecrets && !isAgent;
  if (
    (wish.kind === "session" || (wish.kind === "copy" && wish.commit)) &&
    (policy.persistence === "ephemeral" || staysSecret)
  ) {
    throw denied(
      usesSecrets
        ? "a task with secrets has a workspace of its own: nothing of it may stay for other steps"
        : "the task asks for a session's workspace, and its persistence is ephemeral",
      "persistence",
    );
  }
  if (isAgent && wish.kind === "copy" && (wish.commit || wish.path !== null)) {
    throw denied("an agent works on a copy of the session's files, and hands over a patch", "persistence");
  }
  const limit = (name: "logBytes" | "outputBytes" | "artifactBytes" | "artifactCount", most: number) =>
    Math.min(most, policy.limits?.[name] ?? most);
  return {
    taskType: taskTypeOf(effect),
    runnerPool: effective.runnerPool,
    executionProfile: effective.executionProfile,
    executionProfileVersion: effective.profileVersion,
    capabilities: [...effective.capabilities],
    ...(template === null ? {} : { commandTemplateId: template.id, commandTemplateDigest: template.digest }),
    deadlineMs: effective.taskMs,
    task,
    workspace: workspaceOf(isAgent ? { kind: "ephemeral" } : wish, row, effective),
    ...freezeOf(policy, usesSecrets),
    mounts: mountsOf(light, task.command ?? "/", effective),
    sandbox: {
      mode: policy.sandboxMode ?? "none",
      ...(policy.boundary === undefined || policy.boundary === "process"
        ? {}
        : { boundary: policy.boundary }),
      ...sandboxProviders(effective),
    },
    network: effective.network,
    ...(effective.network === "allowlisted"
      ? {
          networkHosts: {
            allow: [...(policy.allow?.networkHosts ?? [])],
            deny: [...(policy.deny?.networkHosts ?? [])],
          },
        }
      : {}),
    secretPolicy: policy.secretPolicy ?? "none",
    artifacts: artifacts(light, effective),
    ...filesOf(light),
    ...browserOf(light),
    ...actionOf(effect, row),
    ...agentOf(light, wish.kind === "ephemeral" ? null : row.id),
    ...(effect.call === undefined
      ? {}
      : { call: { kind: effect.call, ...(effect.ask === undefined ? {} : { program: true as const }) } }),
    ...provenanceOf(light, policy),
    output: light["output"] === "json" ? "json" : "none",
    limits: {
      logBytes: limit("logBytes", LIMITS.taskLogBytes),
      outputBytes: limit("outputBytes", LIMITS.taskOutputBytes),
      artifactBytes: limit("artifactBytes", LIMITS.artifactBytes),
      artifactCount: limit("artifactCount", LIMITS.artifactCount),
      ...(policy.limits?.memoryBytes === undefined ? {} : { memoryBytes: policy.limits.memoryBytes }),
      ...(policy.limits?.processes === undefined ? {} : { processes: policy.limits.processes }),
    },
  };
}

/** @throws Failure: only a function of a node can make use of one */
function browserOf(light: JsonObject): Pick<TaskPayload, "browser"> {
  const asked = light["browser"];
  if (!isObject(asked)) return {};
  if (!isObject(light["code"]))
    throw denied("a browser is for the function of a code node, and the task names none", "browser");
  return { browser: { ...BROWSER_DEFAULTS, ...asked } };
}

/** A session has one key for all steps of its run: the run's own. */
function workspaceOf(
  wish: WorkspaceWish,
  row: InstanceRow,
  effective: EffectivePolicy,
): TaskPayload["workspace"] {
  if (wish.kind === "session") return { mode: "session", key: row.id };
  const own = { mode: "ephemeral", key: newId() } as const;
  if (wish.kind === "ephemeral") return own;
  return {
    ...own,
    // The host's own files are read, under the rules for what a task sees of the host.
    copyOf:
      wish.path === null ? { session: row.id } : { path: hostMount({ source: wish.path }, effective).source },
    ...(wish.commit ? { commitTo: row.id } : {}),
  };
}

/** What a task wrote may hold the secrets that it was given: of such a task nothing is kept. */
function freezeOf({ afterTask, limits }: PolicyLayer, usesSecrets: boolean): Pick<TaskPayload, "freeze"> {
  if (afterTask === undefined || afterTask === "destroy" || usesSecrets) return {};
  const forMs = limits?.frozenMs ?? 0;
  return forMs === 0 ? {} : { freeze: { when: afterTask === "freeze" ? "always" : "failed", forMs } };
}

/** The session whose files a task needs, or makes. */
export function sessionOf({ workspace, agent }: TaskPayload): string | null {
  const { mode, key, copyOf, commitTo } = workspace;
  if (mode === "session") return key;
  return agent?.copyOf ?? (copyOf !== undefined && "session" in copyOf ? copyOf.session : (commitTo ?? null));
}

/** The key is that of the task with what it is given: a repeat of it is the same action, whichever attempt makes it. */
function actionOf(effect: RunEffect, row: InstanceRow): Pick<TaskPayload, "action"> {
  const action = actionGiven(effect.request.light);
  if (action === null) return {};
  const idempotencyKey = digestOf({ instance: row.id, reference: effect.reference, with: action.with });
  return { action: { name: action.name as FixedAction, idempotencyKey } };
}

/** @param session whose files it works on, in a copy of its own */
function agentOf(light: JsonObject, session: string | null): Pick<TaskPayload, "agent"> {
  if (!isObject(light["agent"])) return {};
  const agent = light["agent"] as unknown as AgentWork;
  return { agent: session === null ? agent : { ...agent, copyOf: session } };
}

/** What is signed is decided by policy; the workflow only says what it was made from. */
function provenanceOf(light: JsonObject, policy: PolicyLayer): Pick<TaskPayload, "provenance"> {
  if (policy.provenance !== "signed") return {};
  const materials = ((light["materials"] ?? []) as Json[]).map((each) => validate(Material, each));
  return { provenance: { materials } };
}

function artifacts(light: JsonObject, { policy }: EffectivePolicy): TaskPayload["artifacts"] {
  const asked = (light["artifacts"] ?? []) as TaskPayload["artifacts"];
  if (asked.length > 0 && policy.artifactExport === false) {
    throw denied("the task hands over artifacts, and its policy exports none", "artifactExport");
  }
  for (const { path } of asked) {
    // Whatever a pattern finds lies below the part of it that is plain.
    const parts = path.split("/").filter((part) => part !== "." && part !== "");
    const wild = parts.findIndex((part) => part.includes("*"));
    const base = parts.slice(0, wild === -1 ? parts.length : wild).join("/") || ".";
    const allowed = (policy.allow?.artifactPaths ?? []).some((wide) => coversPath(wide, base));
    const forbidden = (policy.deny?.artifactPaths ?? []).some((no) => overlaps(coversPath, no, base));
    if (!allowed || forbidden) {
      throw denied(`the artifact path ${path} is not one that policy allows`, "allow.artifactPaths");
    }
  }
  return asked;
}

const ARTIFACT = /^sha256:([0-9a-f]{64})$/;
/** With the code itself. */
const FILES = 256;

/** The artifacts that a task reads, as digests: what an expression gave is one, a list of them, or nothing. */
function filesOf(light: JsonObject): Pick<TaskPayload, "files" | "code"> {
  const code = light["code"];
  const source = isObject(code) ? String((code as JsonObject)["source"]) : undefined;
  const digests = new Set<string>(source === undefined ? [] : [source]);
  const add = (value: Json): void => {
    if (value === null) return;
    if (Array.isArray(value)) for (const item of value) add(item);
    else {
      const digest = typeof value === "string" ? ARTIFACT.exec(value)?.[1] : undefined;
      if (digest === undefined) throw denied("a file of the task is not sha256: and 64 hex digits", "files");
      digests.add(digest);
    }
  };
  add((light["files"] ?? []) as Json);
  if (digests.size > FILES) throw denied(`the task reads more than ${FILES} files`, "files");
  return {
    ...(digests.size === 0 ? {} : { files: [...digests] }),
    ...(source === undefined ? {} : { code: { source } }),
  };
}
